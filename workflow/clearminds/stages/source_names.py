"""Which sources a variant's masks are built from, in the order in which their tables are given to the stage."""


def source_names(spec: dict) -> list[str]:
    """The matched sources, the variant's own, and the references where a source falls back to them.

    Args:
        spec: of the stage build_masks: match (source names), responses (the variant's own source) and sources (name to
            when_none_accepted).
    """
    names = [*spec["match"], spec["responses"]]
    falls_back = any(spec["sources"].get(name) == "reference" for name in names)
    return list(dict.fromkeys([*names, "reference"] if falls_back else names))
