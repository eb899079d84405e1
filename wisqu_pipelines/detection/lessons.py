"""Learning from what people said of items: when they are asked to, from all environments, for this organisation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wisqu_pipelines.audit.chain import append
from wisqu_pipelines.audit.models import EnvironmentAccess
from wisqu_pipelines.catalog.models import TestDataMark
from wisqu_pipelines.database.session import Database
from wisqu_pipelines.detection.models import DetectorModel
from wisqu_pipelines.environments.stores import Environment
from wisqu_pipelines.errors import BadInput, RuleNotFound
from wisqu_pipelines.identity import people
from wisqu_pipelines.ports.clock import Clock
from wisqu_pipelines.settings import Settings
