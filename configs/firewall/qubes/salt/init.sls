# SPDX-License-Identifier: ISC
# The qube that `ringwall-qube create` makes, as a state of dom0:
#	sudo qubesctl state.apply ringwall
# Settings: map.jinja beside this file, or a pillar named "ringwall".
{%- from 'ringwall/map.jinja' import ringwall with context %}
{%- set folder = '/var/lib/qubes/vm-kernels/' ~ ringwall.kernel %}
{%- if grains['id'] == 'dom0' %}

{%- if ringwall.archive %}

ringwall-kernel:
  archive.extracted:
    - name: /var/lib/qubes/vm-kernels
    - source: {{ ringwall.archive | tojson }}
    - source_hash: salt://ringwall/SHA256SUMS
    - if_missing: {{ folder }}/vmlinuz
    - user: root
    - group: root
    - require_in:
      - cmd: ringwall-kernel-checked
{%- endif %}

# Runs, and names the file, only when something does not fit.
ringwall-kernel-checked:
  cmd.run:
    - name: sha256sum --quiet --check SHA256SUMS
    - cwd: {{ folder }}
    - unless: cd {{ folder }} && sha256sum --status --check SHA256SUMS

ringwall-qube:
  qvm.present:
    - name: {{ ringwall.name | tojson }}
    - class: StandaloneVM
    - label: {{ ringwall.label | tojson }}
    - require:
      - cmd: ringwall-kernel-checked

ringwall-prefs:
  qvm.prefs:
    - name: {{ ringwall.name | tojson }}
    - kernel: {{ ringwall.kernel | tojson }}
    - kernelopts: {{ ringwall.kernelopts | tojson }}
    - virt-mode: pvh
    - memory: {{ ringwall.memory }}
    - maxmem: {{ ringwall.memory }}
    - vcpus: 1
    - provides-network: True
    - netvm: {{ ringwall.netvm | tojson }}
    - default-dispvm: ''
    - require:
      - qvm: ringwall-qube

# qvm.prefs does not know this one in every release.
ringwall-audiovm:
  cmd.run:
    - name: qvm-prefs {{ ringwall.name }} audiovm ''
    - unless: test -z "$(qvm-prefs {{ ringwall.name }} audiovm)"
    - require:
      - qvm: ringwall-qube

ringwall-features:
  qvm.features:
    - name: {{ ringwall.name | tojson }}
    - enable:
      - qubes-firewall
      - no-default-kernelopts
      - skip-update
    - disable:
      - gui
    - require:
      - qvm: ringwall-qube
{%- for key, value in ringwall.vm_config | dictsort %}
{%- set feature = 'vm-config.ringwall-' ~ key %}
{%- set word = "'" ~ (value | string | replace("'", '')) ~ "'" %}

{{ feature }}:
  cmd.run:
    - name: {{ ('qvm-features ' ~ ringwall.name ~ ' ' ~ feature ~ ' ' ~ word) | tojson }}
    - unless: {{ ('test "$(qvm-features ' ~ ringwall.name ~ ' ' ~ feature ~ ')" = ' ~ word) | tojson }}
    - require:
      - qvm: ringwall-qube
{%- endfor %}
{%- endif %}
