"""What an offline run of W&B left on the disk."""

import struct


def wandb_records(folder):
    """Return the folder and the records, by type, of the one offline run below a folder."""
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    records: dict[str, list] = {}
    for data in leveldb_log(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        records.setdefault(kind, []).append(getattr(record, kind))
    return file.parent, records


def leveldb_log(content):
    """Yield the entries of a LevelDB log that begins with W&B's own 7 bytes."""
    at, entry = 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:  # what is left of a block takes no header
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)  # after the checksum
        entry += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield entry
            entry = b""
