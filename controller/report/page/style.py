"""How the page looks, and the policy that lets it do nothing else."""

import base64
import hashlib

CSS = """\
:root{color-scheme:light dark;--back:#fff;--ink:#1c1e21;--soft:#5b6068;--line:#dcdfe4;\
--card:#f6f7f9;--good:#17693a;--bad:#b3261e;--warn:#875300;--link:#0b57d0}
@media(prefers-color-scheme:dark){:root{--back:#15171a;--ink:#e6e8eb;--soft:#a4abb5;\
--line:#343940;--card:#1e2125;--good:#6fcf97;--bad:#ff8a80;--warn:#ffc46b;--link:#8ab4f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:92rem;padding:1rem;background:var(--back);color:var(--ink);\
font:15px/1.45 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.3rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
p{margin:.3rem 0}a{color:var(--link)}
.soft{color:var(--soft);font-size:.85rem;font-weight:400}
.old{border:2px solid var(--bad);border-radius:6px;padding:.5rem .8rem;margin:.8rem 0}
.counts{display:flex;flex-wrap:wrap;gap:.5rem;margin:.8rem 0}
.counts div{background:var(--card);border:1px solid var(--line);border-radius:6px;\
padding:.3rem .7rem}
.counts b{font-size:1.15rem}
table{width:100%;border-collapse:collapse}
caption{text-align:left;color:var(--soft);font-size:.85rem;padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.5rem .6rem;border-top:1px solid var(--line)}
thead th{font-size:.8rem;color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:600}
.name,.long,.run{overflow-wrap:anywhere;min-width:9rem}
.name{min-width:10.5rem}.long{min-width:17rem}
time,code{white-space:nowrap}
.badge{display:inline-block;border:1px solid currentColor;border-radius:99px;padding:0 .55rem;\
font-size:.82rem;font-weight:600;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.quiet{color:var(--soft)}
svg{display:block;width:7.5rem;height:1.75rem;margin:.2rem 0;fill:none;stroke:var(--link);\
stroke-width:1.5}
svg path{stroke:var(--bad);stroke-width:2}
code{font-size:.85em}ul{margin:.2rem 0;padding-left:1.1rem}
summary{cursor:pointer;color:var(--link)}
@media(max-width:60rem){thead{position:absolute;clip-path:inset(50%)}
table,tbody,tr,th,td,caption{display:block;width:100%}
tr{border:1px solid var(--line);border-radius:8px;background:var(--card);padding:.4rem .7rem;\
margin:.6rem 0}
th,td{border:0;padding:.25rem 0;overflow-wrap:anywhere;min-width:0}
td:empty{display:none}
.half{display:inline-block;width:49%}
.long code,.run code,time{white-space:normal}
td[data-of]::before{content:attr(data-of);display:block;font-size:.75rem;font-weight:600;\
color:var(--soft)}}
"""

_DIGEST = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
# Nothing is loaded, nothing runs, nothing is sent, nobody frames it; one style sheet counts.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
