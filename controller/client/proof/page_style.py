"""How the page of a proof looks, on screen and paper, and the policy that lets it do no more."""

import base64
import hashlib

from controller.report.page.style import CSS as _HOUSE

CSS = f"""\
{_HOUSE}\
body{{max-width:76rem}}
h1{{font-size:1.6rem}}h2{{font-size:1.2rem;border-top:2px solid var(--line);padding-top:1rem;\
margin-top:2rem}}h3{{font-size:1rem;margin:1.4rem 0 .3rem;overflow-wrap:anywhere}}
header p,.lead{{max-width:60rem}}
.counts{{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr))}}
.counts b{{display:block;font-size:1.35rem}}
.wide{{overflow-x:auto}}
td.number,th.number{{text-align:right;white-space:nowrap}}
li{{margin:.25rem 0;max-width:60rem}}
dl{{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.5rem 0}}
dt{{color:var(--soft)}}dd{{margin:0;overflow-wrap:anywhere}}
dd code{{white-space:normal;overflow-wrap:anywhere}}
pre{{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;\
overflow-x:auto;font-size:.82rem;max-width:60rem;white-space:pre-wrap;overflow-wrap:anywhere}}
pre code{{display:block;white-space:pre-wrap;font-size:1em}}
@media(max-width:60rem){{td.number{{text-align:left}}dl{{grid-template-columns:1fr}}\
dd{{margin-bottom:.4rem}}}}
@media print{{:root{{color-scheme:light;--back:#fff;--ink:#000;--soft:#444;--line:#bbb;\
--card:#fff;--good:#17693a;--bad:#b3261e;--warn:#875300;--link:#000}}\
body{{font-size:9.5pt;max-width:none;padding:0}}@page{{margin:14mm}}\
thead{{display:table-header-group}}tr,.counts div,li,pre{{break-inside:avoid}}\
h2,h3,caption{{break-after:avoid}}}}
"""

_DIGEST = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
# Nothing is loaded, nothing runs, nothing is sent; one style sheet counts. (A page cannot say by
# itself who may frame it.)
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
