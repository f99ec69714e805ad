"""A study's layout whose kinds of files are put below its folders once: a plan asks for them thousands of times."""

from clearminds.files.layout import Artefact, Layout


def keep_kinds(layout: Layout) -> Layout:
    """Keep every kind of file of a layout as its own attribute, where `Artefact.__get__` would make it each time.

    Returns:
        the layout itself.
    """
    vars(layout).update(
        {name: getattr(layout, name) for name, kind in vars(Layout).items() if isinstance(kind, Artefact)}
    )
    return layout
