"""The audit of a dataset: what in it would make a number measured on it mean something else."""

from coordi.data.doctor.examine import examine
from coordi.data.doctor.findings import Audit, Exhibit, Figures, Finding, Severity, worst
from coordi.data.doctor.page import write_page

__all__ = [
    "Audit",
    "Exhibit",
    "Figures",
    "Finding",
    "Severity",
    "examine",
    "worst",
    "write_page",
]
