"""Refuses inputs whose folder links to files that are gone."""

from collections.abc import Iterable
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.layout import DECLARING, Layout


def refuse_dangling(inputs: Iterable[Path]) -> None:
    """Refuse a model that was fetched by links to a folder of the user's, if that has been moved or removed since.

    Args:
        inputs: of a job; those that declare the folder around them whole are looked at.

    Raises:
        UserError: it names the link and where it leads.
    """
    for declaration in inputs:
        for file in sorted(declaration.parent.iterdir()) if declaration.name in DECLARING else ():
            if file.is_symlink() and not file.exists():
                name = declaration.parent.name
                is_model = declaration.name == Path(Layout.model.template).name
                key = f"models: {name}: path" if is_model else f"variants: {name}: adapter: path"
                raise UserError(
                    f"{file} is a link to {file.readlink()}, which is gone: put that back, or name its new folder in "
                    f"{key}; or delete {declaration}, so that the next run fetches "
                    f"the {'model' if is_model else 'adapter'} again"
                )
