"""`AdditionalParameters`: a configuration within the configuration, out of passing eyes (client spec §6.1).

    base64( key of 32 bytes | NaCl secretbox of JSON )

The key lies beside what it seals: this hides from a glance, not from anybody who looks.
"""

import base64
import binascii

from headrace.base.errors import DocumentError
from headrace.crypto.secret_box import KEY_SIZE, open_box
from headrace.documents.config_reader import read_object

__all__ = ["read_additional_parameters"]


def read_additional_parameters(text: str) -> dict[str, object]:
    """Return the fields that override the configuration's: those that are not zero, empty or null.

    Raises DocumentError, which repeats nothing of the text.
    """
    try:
        data = base64.b64decode(text, validate=True)
        content = open_box(data[:KEY_SIZE], data[KEY_SIZE:])
    except (binascii.Error, ValueError, DocumentError):
        raise DocumentError("cannot be opened: copy it whole, or leave it out") from None
    return {name: value for name, value in read_object(content, "what it holds").items() if value}
