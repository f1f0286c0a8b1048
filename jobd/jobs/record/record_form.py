"""A record's stored form: JSON that tolerates unknown fields, so that an older jobd can read a newer record of the same form.

Owns the forms' numbers. `record_upgrade.py` converts form 1, which has no number, to form 2; a change of a job stores form 2.
"""

import msgspec

from jobd.jobs.record.flat_record import FlatRecord
from jobd.jobs.record.record import Record
from jobd.jobs.record.record_upgrade import upgraded


class _Form(msgspec.Struct):
    form: int = 1


_FORM_2 = b'{"form":2,'
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_form_decoder = msgspec.json.Decoder(_Form)
_flat_decoder = msgspec.json.Decoder(FlatRecord)


def encode_record(record: Record) -> bytes:
    """Returns the stored form."""
    return _encoder.encode(record)


def decode_record(data: bytes) -> Record:
    """Returns the record of a stored form. Raises msgspec.DecodeError."""
    # This jobd writes the form first: most records are parsed once.
    if not data.startswith(_FORM_2) and _form_decoder.decode(data).form == 1:
        return upgraded(_flat_decoder.decode(data))
    return _decoder.decode(data)
