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
    "_prometheus": ("prometheus",),
    "_reply": ("Reply",),
    "_spinnaker": ("spinnaker",),
}
__getattr__ = attach(__name__, {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names})
