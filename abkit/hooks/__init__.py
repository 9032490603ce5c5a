"""From a decision to what each deployer reads: pure functions, one contract a file."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.hooks._app import make_app as make_app
    from abkit.hooks._argo import argo as argo
    from abkit.hooks._ci import ci as ci
    from abkit.hooks._codedeploy import codedeploy as codedeploy
    from abkit.hooks._flagger import flagger as flagger
    from abkit.hooks._github import GitHub as GitHub
    from abkit.hooks._github import github as github
    from abkit.hooks._gitlab import gitlab as gitlab
    from abkit.hooks._kayenta import kayenta as kayenta
    from abkit.hooks._kayenta import kayenta_configs as kayenta_configs
    from abkit.hooks._kayenta import kayenta_execution as kayenta_execution
    from abkit.hooks._kayenta import kayenta_polled as kayenta_polled
    from abkit.hooks._kayenta import kayenta_standalone as kayenta_standalone
    from abkit.hooks._kayenta import kayenta_started as kayenta_started
    from abkit.hooks._kayenta_judge import kayenta_judge as kayenta_judge
    from abkit.hooks._prometheus import prometheus as prometheus
    from abkit.hooks._reply import Reply as Reply
    from abkit.hooks._spinnaker import spinnaker as spinnaker

_HOMES = {
    "_app": ("make_app",),
    "_argo": ("argo",),
    "_ci": ("ci",),
    "_codedeploy": ("codedeploy",),
    "_flagger": ("flagger",),
    "_github": ("GitHub", "github"),
    "_gitlab": ("gitlab",),
    "_kayenta": (
        "kayenta",
        "kayenta_configs",
        "kayenta_execution",
        "kayenta_polled",
        "kayenta_standalone",
        "kayenta_started",
    ),
    "_kayenta_judge": ("kayenta_judge",),
    "_prometheus": ("prometheus",),
    "_reply": ("Reply",),
    "_spinnaker": ("spinnaker",),
}
__getattr__ = attach(__name__, {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names})
