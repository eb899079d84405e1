"""All that detection knows at a moment, put together as a judge."""

from wisqu_pipelines.detection.engine import TextJudge
from wisqu_pipelines.detection.lessons import Lessons
from wisqu_pipelines.detection.teaching import Teaching
from wisqu_pipelines.settings import Settings, TestDataSettings
