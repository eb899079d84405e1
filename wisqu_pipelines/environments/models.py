"""The marker tables: whose database this is, and which markers the environments' stores must carry."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, String, func, true
from sqlalchemy.orm import Mapped, mapped_column

from wisqu_pipelines.database.base import ControlBase, EnvironmentBase


class MarkerMixin:
    """The one row that says whose database this is."""

    singleton: Mapped[bool] = mapped_column(primary_key=True, default=True, server_default=true())
    environment: Mapped[str] = mapped_column(String(50))
    marker: Mapped[UUID]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EnvironmentMarker(MarkerMixin, EnvironmentBase):
    """Whose database this is."""

    __tablename__ = "store_marker"
    __table_args__ = (CheckConstraint("singleton", name="one_row"),)


class ControlMarker(MarkerMixin, ControlBase):
    """That this is the control database."""

    __tablename__ = "store_marker"
    __table_args__ = (CheckConstraint("singleton", name="one_row"),)


class RegisteredEnvironment(ControlBase):
    """The marker that every store of an environment must carry."""

    __tablename__ = "environments"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    marker: Mapped[UUID]
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())
