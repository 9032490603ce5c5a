"""Planning from history: how many units and how long a plan needs, for each metric and for its rule."""

from abkit.planning._make import Wish as Wish
from abkit.planning._make import make_planning as make_planning
from abkit.planning._more import More as More
from abkit.planning._planning import MetricPlan as MetricPlan
from abkit.planning._planning import Planning as Planning
from abkit.planning._planning import RulePlan as RulePlan
