"""The configuration as one file: export, import, differences. Start reading in importing.py."""

from .exporting import configuration_document, export_configuration
from .importing import import_configuration
from .places import BadConfiguration
from .reading import configuration_of_file
from .report import Change, ImportReport
from .text import MAX_BYTES
from .versions import VersionUnknown, configurations_of

__all__ = [
    "MAX_BYTES",
    "BadConfiguration",
    "Change",
    "ImportReport",
    "VersionUnknown",
    "configuration_document",
    "configuration_of_file",
    "configurations_of",
    "export_configuration",
    "import_configuration",
]
