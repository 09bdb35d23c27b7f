"""The reasons that training data gives: none of them permits anything."""

from collections.abc import Mapping
from typing import Final

from registry.policy.reason_kind import Effect, ReasonKind

_R, _U, _I = Effect.REFUSE, Effect.UNDECIDED, Effect.INFO

TRAINING_REASONS: Final[Mapping[str, ReasonKind]] = {
    "training-undisclosed": ReasonKind(
        _U,
        "The publisher of {release} says nothing about its training data, which the policy asks about.",
        "A release in the lineage names no document of training data, and `training_data` asks what is in it.",
    ),
    "training-undisclosed-refused": ReasonKind(
        _R,
        "The publisher of {release} says nothing about its training data, and the policy asks that it be disclosed.",
        "A release in the lineage names no document of training data, and `training_data.disclosure` asks for one.",
    ),
    "training-unread": ReasonKind(
        _U,
        "The training data of {release} could not be read: {detail}",
        "A document of training data is missing or invalid, and `training_data` asks what is in it.",
    ),
    "training-unsaid": ReasonKind(
        _U,
        "The training data of {release} is described by the Croissant document {dataset} alone, which does not"
        " settle what the policy asks.",
        "`training_data` asks for more than disclosure, and the document is Croissant.",
    ),
    "training-external": ReasonKind(
        _U,
        "{release} was made from {dataset}, which is not in this registry: nobody says here what that was trained on.",
        "A release in the lineage has a parent that is known by its package URL only, and `training_data` asks what is"
        " in it.",
    ),
    "training-disclosure": ReasonKind(
        _R,
        "{release} was trained on “{dataset}”, which is {is_}; the policy asks for {least} at least.",
        "A data set is disclosed less than `training_data.disclosure` asks for.",
    ),
    "training-not-pinned": ReasonKind(
        _R,
        "{release} was trained on “{dataset}”, which is not pinned by a digest, or has a teacher that cannot be.",
        "`training_data.pinned` is true, and no digest of a data set is named, or its teacher is a hosted service or a"
        " branch.",
    ),
    "training-dataset-refused": ReasonKind(
        _R,
        "{release} was trained on “{dataset}” ({named}), which the policy refuses.",
        "A data set is among `training_data.refuse_datasets`.",
    ),
    "training-dataset-unknown": ReasonKind(
        _U,
        "{release} was trained on “{dataset}”, which does not show whether it is one that the policy refuses.",
        "A data set is not named in the way in which one of `training_data.refuse_datasets` is, so that it may be it.",
    ),
    "training-license-refused": ReasonKind(
        _R,
        "{release} was trained on “{dataset}” under {license}, which the policy refuses.",
        "The licence of a data set names one of `training_data.refuse_licenses`.",
    ),
    "training-license-unknown": ReasonKind(
        _U,
        "{release} was trained on “{dataset}”, whose licence is not said.",
        "`training_data.refuse_licenses` is given, and a data set has no licence.",
    ),
    "training-outputs-refused": ReasonKind(
        _R,
        "{release} was trained on outputs of another model (“{dataset}”), which the policy refuses.",
        "`training_data.outputs` is `refused`, and a data set holds outputs of a model.",
    ),
    "training-outputs-denied": ReasonKind(
        _R,
        "{release} was trained on outputs of {teacher} (“{dataset}”), which its terms deny, or which was revoked.",
        "`training_data.outputs` is `permitted`, and the teacher's terms deny it and no grant in force allowed it.",
    ),
    "training-outputs-unsettled": ReasonKind(
        _U,
        "{release} was trained on outputs of {teacher} (“{dataset}”), and neither its terms nor a grant in force"
        " then allow that.",
        "`training_data.outputs` is `permitted`, and it is not settled that the teacher's publisher permitted it.",
    ),
    "training-outputs-unknown": ReasonKind(
        _U,
        "{release} was trained on outputs of a model that is not in this registry (“{dataset}”): whether that was"
        " permitted is not known here.",
        "`training_data.outputs` is `permitted`, and the teacher is a package, a hosted service, or not named.",
    ),
    "training-outputs-untrusted": ReasonKind(
        _U,
        "{release} was trained on outputs of {teacher} (“{dataset}”), whose publisher the policy does not trust to"
        " speak for that model.",
        "`training_data.outputs` is `permitted`, and the teacher is by nobody whom `training_data.teachers` names, or"
        " without that key by nobody who counts under `publishers`.",
    ),
    "training-synthetic": ReasonKind(
        _U,
        "{release} was trained on synthetic data (“{dataset}”), and it is not said which model made it, if any did.",
        "`training_data.outputs` is `permitted` or `refused`, and a data set of another role was obtained as"
        " synthetic.",
    ),
    "training-outputs-permitted": ReasonKind(
        _I,
        "{release} was trained on outputs of {teacher} (“{dataset}”), as its publisher permitted.",
        "`training_data.outputs` is `permitted`, and the teacher's terms allow it, or a grant in force did.",
    ),
}
