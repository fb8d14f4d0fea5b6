"""The configuration as one file: export, import, differences. Start reading in importing.py."""

from .exporting import configuration_document, export_configuration
from .importing import import_configuration
from .places import BadConfiguration
from .report import Change, Report
from .text import MAX_BYTES

__all__ = [
    "MAX_BYTES",
    "BadConfiguration",
    "Change",
    "Report",
    "configuration_document",
    "export_configuration",
    "import_configuration",
]
