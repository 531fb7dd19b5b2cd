"""The audit of a dataset: what in it would make a number measured on it mean something else."""

from coordi.doctor.examine import examine
from coordi.doctor.findings import Audit, Exhibit, Figures, Finding, Severity, worst
from coordi.doctor.page import write_page

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
