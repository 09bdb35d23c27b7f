"""What a manifest says of a data set in short names and texts, for forms that have no field of their own for it."""

from registry.artifacts.training.document import Dataset, Teacher


def said_of(dataset: Dataset) -> list[tuple[str, str]]:
    """Each thing with a name for it, in one order; a name may stand twice. What is not said is left out."""
    period = None if dataset.period is None else f"{dataset.period.from_}/{dataset.period.to}"
    said: list[tuple[str, object]] = [
        ("role", dataset.role),
        ("disclosure", dataset.disclosure),
        ("obtained", dataset.obtained),
        ("records", dataset.records),
        ("bytes", dataset.bytes),
        ("period", period),
        ("digest", dataset.digest),
        ("commitment", dataset.commitment),
        *(("modality", one) for one in dataset.modalities or ()),
        *(("language", one) for one in dataset.languages or ()),
        *([] if dataset.teacher is None else _teacher(dataset.teacher)),
    ]
    return [(key, str(value)) for key, value in said if value is not None]


def _teacher(teacher: Teacher) -> list[tuple[str, object]]:
    service = teacher.service
    if service is None:
        return [("teacher", teacher.release or teacher.package)]
    return [
        ("teacher:provider", service.provider),
        ("teacher:model", service.model),
        ("teacher:snapshot", service.snapshot),
        ("teacher:terms", service.terms),
        ("teacher:period", f"{service.period.from_}/{service.period.to}"),
    ]
