"""What an offline run of W&B left on the disk."""

import struct
import time

PATIENCE_S = 30.0  # until the file is complete


def wandb_records(folder):
    """Return the folder and the records, by type, of the one offline run below a folder.

    W&B's own process writes them, the one of the exit last.
    """
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    end = time.monotonic() + PATIENCE_S
    while "exit" not in (records := _read(file)) and time.monotonic() < end:
        time.sleep(0.1)
    assert "exit" in records, f"{file}: of {file.stat().st_size} bytes only {[*records]}"
    return file.parent, records


def _read(file):
    from wandb.proto import wandb_internal_pb2

    records: dict[str, list] = {}
    for data in leveldb_log(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        records.setdefault(kind, []).append(getattr(record, kind))
    return records


def leveldb_log(content):
    """Yield the entries of a LevelDB log that begins with W&B's own 7 bytes."""
    at, entry = 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:  # what is left of a block takes no header
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)  # after the checksum
        if at + 7 + length > len(content):
            return  # still being written
        entry += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield entry
            entry = b""
