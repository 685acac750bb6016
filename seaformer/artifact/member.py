"""Base and number types of everything in the description of an exported file."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
Side = Annotated[int, Field(ge=1, lt=2**31)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Byte = Annotated[int, Field(ge=0, le=255)]


class Member(BaseModel):
    """A JSON object in the description."""

    model_config = ConfigDict(
        extra="ignore",  # this version can read files of later versions with additional members
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        json_schema_serialization_defaults_required=True,
    )
