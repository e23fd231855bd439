"""Base class and field types of the tables of model.toml."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

OpenFraction = Annotated[float, Field(gt=0, lt=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(min_length=1)]


class Table(BaseModel):
    """A table of model.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
