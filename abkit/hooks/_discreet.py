"""What an error of a log says to those who ask over the network: nothing of where the log lies."""

from __future__ import annotations

import re

from abkit.errors import DataError

#: Folders at the beginning of a path in quotes, as Unix and Windows write them.
FOLDERS = re.compile(r"""(?<=['"])(?:[A-Za-z]:|[\\/])[^'"]*[\\/](?=[^'"])""")


def discreet(error: DataError) -> DataError:
    """The error without folders, and without the words of an engine, which may name files, hosts and users.

    An engine's words are those behind the last colon that abkit itself wrote, in an error that was raised from another.
    """
    said = str(error)
    if error.__cause__ is not None and ": " in said:
        said = f"{said.partition(': ')[0]}; the server's own log says why."
    return DataError(FOLDERS.sub("", said))
