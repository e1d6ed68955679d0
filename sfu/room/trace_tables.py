"""Tables of packed records, written as NumPy has its files, without NumPy.

A block is what `numpy.save` makes of an array of records (NumPy Enhancement Proposal 1, version
1.0): magic, a header that tells the names and types of the fields, and the records.
"""

from struct import Struct
from typing import Final

MAGIC: Final = b"\x93NUMPY\x01\x00"
ALIGNMENT = 64  # bytes; of the records behind the header
_LENGTH = Struct("<H")

_CODES = {  # NumPy's name of a type → that of `struct`
    "|u1": "B",
    "|i1": "b",
    "<u2": "H",
    "<u4": "I",
    "<i8": "q",
    "<f4": "f",
    "<f8": "d",
    "|S20": "20s",
}


class Table:
    """Records of one kind that wait to be written.

    Attributes:
        data: The records, packed.
        add: Adds one; takes a value for each field.
    """

    __slots__ = ("_descriptor", "_struct", "data")

    def __init__(self, fields: str) -> None:
        """No records yet.

        Args:
            fields: "name type, name type, …" with types as NumPy writes them.
        """
        pairs = [tuple(field.split()) for field in fields.split(",")]
        self._descriptor = repr(pairs)
        self._struct = Struct("<" + "".join(_CODES[code] for _, code in pairs))
        self.data = bytearray()

    def add(self, *values: float | bytes) -> None:
        """Add a record: a value for each field, within the bounds of its type."""
        self.data += self._struct.pack(*values)

    def take(self) -> bytes:
        """The block with all records, which are forgotten; empty where there are none."""
        data = self.data
        if not data:
            return b""
        block = npy_block(self._descriptor, len(data) // self._struct.size, data)
        self.data = bytearray()
        return block


def npy_block(descriptor: str, count: int, data: bytes | bytearray) -> bytes:
    """An array of one dimension as a file of NumPy's.

    Args:
        descriptor: Of the type of its elements, as Python writes it.
        count: Number of elements.
        data: The elements.
    """
    text = f"{{'descr': {descriptor}, 'fortran_order': False, 'shape': ({count},), }}"
    fixed = len(MAGIC) + _LENGTH.size
    header = text.encode("ascii")
    header += b" " * (-(fixed + len(header) + 1) % ALIGNMENT) + b"\n"
    return MAGIC + _LENGTH.pack(len(header)) + header + data
