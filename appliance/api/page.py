"""How the page at `/` looks: the box at a glance, for a person with a browser and no network but this box.

One self-contained page without scripts, fonts or pictures from elsewhere; it reloads itself. A Jinja template over
`index.view`; it stands in a module so that no packaging can leave it out. The colours of the states are NE 107's.
"""

from typing import Final

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #f3f4f6; --card: #fff; --ink: #14181d; --soft: #5b6672; --rule: #dfe3e8;
  --ok: #1b7f4d; --undecided: #c98a04; --bad: #c62f2f; --undefined: #7a8490;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1317; --card: #181d23; --ink: #e9edf1; --soft: #98a3ae; --rule: #2a323a;
    --ok: #35a56b; --undecided: #e0a526; --bad: #e5605d; --undefined: #7f8a95;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
header, main { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; padding-block: 18px 14px; }
header strong { font-size: 19px; letter-spacing: -.01em; }
header span { color: var(--soft); font-size: 13px; }
header span:last-child { margin-left: auto; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 22px; }
section, .grid { margin-bottom: 16px; }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.grid section { margin: 0; }
h1 { margin: 0; font-size: clamp(28px, 6.5vw, 54px); line-height: 1.08; letter-spacing: -.02em; }
h2 { margin: 0 0 12px; font-size: 12px; letter-spacing: .07em; text-transform: uppercase; color: var(--soft); }
h3 { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; margin: 0 0 14px; font-size: 17px; }
h3 i { margin-left: auto; font-style: normal; font-size: 13px; font-weight: 500; color: var(--soft); }
code { font: 12.5px/1.4 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; color: var(--soft); }
.health { border: 0; padding: 24px 26px; }
.health p { margin: 8px 0 0; font-size: 17px; }
.health small { display: block; margin-top: 14px; font-size: 13px; opacity: .88; }
.NORMAL { background: #17693f; color: #fff; }
.MAINTENANCE_REQUIRED { background: #1c5fa8; color: #fff; }
.OFF_SPEC { background: #f2c230; color: #1d1800; }
.CHECK_FUNCTION { background: #e8801a; color: #1d0e00; }
.FAILURE { background: #b3261e; color: #fff; }
.reasons { list-style: none; margin: 0; padding: 0; }
.reasons li { padding: 11px 0; border-top: 1px solid var(--rule); }
.reasons li:first-child { border: 0; padding-top: 0; }
.reasons li:last-child { padding-bottom: 0; }
.reasons b { display: inline-block; border-radius: 4px; padding: 1px 7px; margin-right: 8px; font-size: 12px; }
.reasons p { margin: 4px 0 0; }
.good::before, .wrong::before { content: "●"; margin-right: 6px; }
.good::before { color: var(--ok); }
.wrong::before, .bad { color: var(--bad); }
.stale { opacity: .5; }
dl { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px 14px; margin: 0; }
@media (max-width: 480px) { dl { grid-template-columns: 1fr 1fr; } }
dt { font-size: 12px; color: var(--soft); }
dd { margin: 0; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--rule); margin: 16px 0 8px; }
.bar i { min-width: 2px; }
.key { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 13px; color: var(--soft); }
.key i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 5px; }
.OK { background: var(--ok); }
.NotDecidable { background: var(--undecided); }
.NotOK { background: var(--bad); }
.Undefined { background: var(--undefined); }
.note { margin: 12px 0 0; font-size: 13px; color: var(--soft); }
.note.bad { color: var(--bad); }
h3 + .note { margin: -8px 0 14px; }
.note + dl { margin-top: 14px; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-size: 12px; font-weight: 500; color: var(--soft); padding: 0 18px 6px 0; }
td { border-top: 1px solid var(--rule); padding: 8px 18px 8px 0; vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; min-width: 220px; }
.ended td { color: var(--soft); }
.few td:last-child, .few th:last-child { min-width: 0; }
.few td { white-space: nowrap; }
.links { width: auto; }
.links td { border: 0; padding-block: 3px; }
.links a { color: inherit; }
.none { margin: 0; color: var(--soft); }
.way { display: flex; flex-wrap: wrap; gap: 4px; list-style: none; margin: 14px 0 0; padding: 0; font-size: 12px; }
.way li { padding: 2px 9px; border-radius: 9px; background: var(--rule); color: var(--soft); }
.way .done { background: none; box-shadow: inset 0 0 0 1px var(--ok); color: var(--ok); }
.way .now { background: var(--ok); color: #fff; font-weight: 600; }
.flag { border-radius: 4px; padding: 1px 7px; margin-right: 6px; font-size: 12px; background: var(--rule); }
.alarming .flag { background: var(--bad); color: #fff; }
"""

_BODY: Final = """
<header>
  <strong>{{ station }}</strong><span>appliance {{ version }}</span><span>as of {{ at }}</span>
</header>
<main>
<section class="health {{ health }}">
  <h1>{{ health.replace("_", " ") }}</h1>
  <p>{{ meaning }}</p>
  <small>since {{ since }} · {{ "parts are judged" if ready else "parts are not judged" }}
    {%- if last_heard %} · the line was last heard {{ last_heard }} ago; below is what it said then{% endif %}</small>
</section>

{% if reasons %}
<section>
  <h2>Reasons</h2>
  <ul class="reasons">
  {% for reason in reasons %}
    <li>
      <b class="{{ reason.health.value }}">{{ reason.health.value.replace("_", " ") }}</b>
      <code>{{ reason.code }} · {{ reason.component }}</code>
      <p>{{ reason.message }}</p>
    </li>
  {% endfor %}
  </ul>
</section>
{% endif %}

{% set stale = "stale" if last_heard else "" %}
{% if cameras %}
<div class="grid {{ stale }}">
{% for camera in cameras %}
<section>
  <h3>{{ camera.name }}{{ ", combined" if camera.is_group -}}
    <i class="{{ "good" if camera.state == "online" else "wrong" }}">{{ camera.state }}</i></h3>
  {% if camera.detail %}<p class="note">{{ camera.detail }}</p>{% endif %}
  {% with recipe = camera.recipe %}{% if recipe %}
  <p class="note">Recipe <b>{{ recipe.name }}</b>{{ ", job " ~ recipe.job if recipe.job }}, since {{ recipe.since }}
    {%- if recipe.others %}; <code>appliance recipe switch</code> changes it to {{ recipe.others | join(", ") }}
    {%- endif %}</p>
  {% if recipe.refused %}<p class="note bad">The last changeover was refused: {{ recipe.refused }}</p>{% endif %}
  {% endif %}{% endwith %}
  {% for note in camera.notes %}<p class="note">{{ note }}</p>{% endfor %}
  <dl>
    <div><dt>parts</dt><dd>{{ camera.parts }}</dd></div>
    <div><dt>passed</dt><dd>{{ camera.passed }}</dd></div>
    <div><dt>too late</dt><dd{% if camera.has_missed %} class="bad"{% endif %}>{{ camera.missed }}</dd></div>
    <div><dt>99 % within</dt><dd>{{ camera.slowest }}</dd></div>
    {% if not camera.is_group %}
    <div><dt>pictures, age</dt><dd>{{ camera.frame_age }}</dd></div>
    <div><dt>missing</dt><dd{% if camera.has_lost %} class="bad"{% endif %}>{{ camera.lost }}</dd></div>
    <div><dt>passed over</dt><dd>{{ camera.skipped }}</dd></div>
    {% endif %}
  </dl>
  {% if camera.device %}<p class="note"><code>{{ camera.device }}</code></p>{% endif %}
  {% if camera.shares %}
  <div class="bar">
    {%- for share in camera.shares %}<i class="{{ share.name }}" style="flex: {{ share.percent }}"></i>{% endfor -%}
  </div>
  <div class="key">
    {% for share in camera.shares %}<span><i class="{{ share.name }}"></i>{{ share.name }} {{ share.count }}</span>
    {% endfor %}
  </div>
  {% endif %}
  {% if camera.failed_by %}
  <p class="note">Failed by
    {% for reason, count in camera.failed_by %}<code>{{ reason }}</code> {{ count }}{{ ", " if not loop.last }}
    {%- endfor %}{% if camera.more %} and {{ camera.more }} more reasons{% endif %}</p>
  {% endif %}
</section>
{% endfor %}
</div>
{% endif %}

<section class="{{ stale }}">
  <h2>Models</h2>
  {% if models %}
  <div class="scroll"><table>
    <tr><th>model</th><th>version</th><th>state</th><th>engine</th><th>digest</th><th></th></tr>
    {% for model in models %}
    <tr{% if model.state == "END" %} class="ended"{% endif %}>
      <td>{{ model.name }}</td>
      <td>{{ model.version }}</td>
      <td class="{{ "good" if model.state == "AVAILABLE" else "wrong" if model.failed }}">{{ model.state }}</td>
      <td>{{ model.engine }}</td>
      <td><code>{{ model.digest }}</code></td>
      <td>{{ model.note }}</td>
    </tr>
    {% endfor %}
  </table></div>
  {% else %}<p class="none">The line has named none.</p>{% endif %}
</section>

{% for model in deliveries %}
<section{% if model.alarming %} class="alarming"{% endif %}>
  <h2>Deliveries of {{ model.name }}</h2>
  <dl>
    {% if model.active %}
    <div><dt>serves release</dt><dd>{{ model.active.release }}</dd></div>
    <div><dt>version</dt><dd>{{ model.active.version }}</dd></div>
    <div><dt>digest</dt><dd><code>{{ model.active.digest }}</code></dd></div>
    {% else %}<div><dt>serves</dt><dd class="bad">nothing</dd></div>{% endif %}
    <div><dt>before it</dt><dd>{{ "release " ~ model.previous.release if model.previous else "–" }}</dd></div>
  </dl>
  {% if model.flags or model.available %}
  <p class="note">{% for flag in model.flags %}<span class="flag">{{ flag }}</span>{% endfor %}
    {%- if model.available %}<span class="flag">update available: {{ model.available }}</span>{% endif %}</p>
  {% endif %}
  {% for note in model.notes %}<p class="note">{{ note }}</p>{% endfor %}
  {% with one = model.deployment %}
  {% if one %}
  {% if one.way and not one.is_over %}
  <ol class="way">{% for name, how in one.way %}<li class="{{ how }}">{{ name }}</li>{% endfor %}</ol>
  {% endif %}
  {% if one.percent is not none %}
  <div class="bar"><i class="OK" style="flex: {{ one.percent }}"></i><i style="flex: {{ 100 - one.percent }}"></i></div>
  <div class="key"><span>{{ one.bytes }}</span></div>
  {% endif %}
  <p class="note"><span class="{{ "wrong" if one.is_wrong else "good" }}">{{ one.what }} {{ one.state }}</span>
    since {{ one.since }}, asked for by {{ one.by }}{{ "; " ~ one.wait if one.wait }}</p>
  {% if one.detail %}<p class="note{{ " bad" if one.is_wrong }}">{{ one.detail }}</p>{% endif %}
  {% for report in one.reports %}<p class="note">{{ report }}</p>{% endfor %}
  <p class="note"><a href="/deployments/{{ one.id }}"><code>{{ one.id }}</code></a></p>
  {% endif %}
  {% endwith %}
  <p class="note">The registry was last asked {{ model.last_looked }}.</p>
</section>
{% endfor %}

<div class="grid">
<section class="{{ stale }}">
  <h2>Results on disk</h2>
  {% if outbox %}
  <dl>
    <div><dt>to deliver</dt><dd{% if outbox.is_filling %} class="bad"{% endif %}>{{ outbox.pending }}</dd></div>
    <div><dt>oldest of them</dt><dd>{{ outbox.oldest }}</dd></div>
    <div><dt>recorded</dt><dd>{{ outbox.recorded }}</dd></div>
    <div><dt>lost</dt><dd{% if outbox.has_lost %} class="bad"{% endif %}>{{ outbox.lost }}</dd></div>
  </dl>
  {% if outbox.max %}
  {% set waits = "NotOK" if outbox.is_filling else "NotDecidable" %}
  <div class="bar">
    {%- if outbox.pending != "0" %}<i class="{{ waits }}" style="width: {{ outbox.share }}%"></i>{% endif %}
    {%- if outbox.kept != "0" %}<i class="OK" style="width: {{ outbox.kept_share }}%"></i>{% endif %}</div>
  <div class="key">
    <span><i class="{{ waits }}"></i>to deliver {{ outbox.size }}</span>
    <span><i class="OK"></i>kept {{ outbox.kept_size }}</span><span>of {{ outbox.max }}</span>
  </div>
  {% endif %}
  {% if outbox.problem %}<p class="note bad">{{ outbox.problem }}</p>
  {% elif not outbox.accepting %}<p class="note bad">Results cannot be recorded at present.</p>{% endif %}
  <p class="note">
    {%- if outbox.kept == "0" %}None are kept that the broker has acknowledged.
    {%- else %}{{ outbox.kept }} that the broker has acknowledged are kept, the oldest for {{ outbox.kept_age }}.
    {%- endif %}</p>
  {% if outbox.unconfirmed -%}
  <p class="note bad">{{ outbox.unconfirmed }} had to give way that a reader had not confirmed.</p>
  {% endif %}
  {% else %}<p class="none">The line has not reported them.</p>{% endif %}
</section>
<section>
  <h2>MQTT broker</h2>
  {% if mqtt %}
  <h3><span class="{{ "good" if mqtt.connected else "wrong" }}">
    {{- "connected" if mqtt.connected else "not connected" }}</span><i>{{ mqtt.broker }}</i></h3>
  {% if mqtt.problem %}<p class="note bad">{{ mqtt.problem }}</p>{% endif %}
  <dl>
    <div><dt>taken</dt><dd>{{ mqtt.taken }}</dd></div>
    <div><dt>last minute</dt><dd>{{ mqtt.rate }}</dd></div>
    <div><dt>refused</dt><dd{% if mqtt.has_refused %} class="bad"{% endif %}>{{ mqtt.refused }}</dd></div>
  </dl>
  {% if mqtt.since %}<p class="note">Connected since {{ mqtt.since }}.</p>{% endif %}
  {% for notice in mqtt.notices %}<p class="note">{{ notice }}.</p>{% endfor %}
  {% if mqtt.unheard %}<p class="note">Nobody subscribed to {{ mqtt.unheard }} of the results taken.</p>{% endif %}
  {% else %}<p class="none">The publisher has not reported.</p>{% endif %}
  {% if started %}<p class="note">The line runs since {{ started }} and holds {{ memory }} of memory.</p>{% endif %}
</section>
</div>

{% if consumers %}
<section>
  <h2>Readers that confirm</h2>
  <div class="scroll"><table class="few">
  <tr><th>reader</th><th>camera</th><th>confirmed up to</th><th>not confirmed</th><th>behind</th></tr>
  {% for one in consumers %}
  <tr>
    <td><span class="{{ "wrong" if one.is_late else "good" }}">{{ one.name }}</span></td>
    <td>{{ one.camera }}</td><td>{{ one.sequence or "never heard of" }}</td><td>{{ one.results }}</td>
    <td{% if one.is_late %} class="bad"{% endif %}>{{ one.behind }}</td>
  </tr>
  {% endfor %}
  </table></div>
</section>
{% endif %}

<section>
  <h2>For programs</h2>
  <div class="scroll"><table class="links">
  {% for path, what, link in endpoints %}
    <tr>
      <td>{% if link %}<a href="{{ path }}"><code>{{ path }}</code></a>{% else %}<code>{{ path }}</code>{% endif %}</td>
      <td>{{ what }}</td>
    </tr>
  {% endfor %}
  </table></div>
</section>
</main>
"""

PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{{{{ reload_s }}}}">
<title>{{{{ health }}}} · {{{{ station }}}}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>{_BODY}</body>
</html>
"""
"""A Jinja template; autoescaping has to be on, for names and sentences come from outside."""
