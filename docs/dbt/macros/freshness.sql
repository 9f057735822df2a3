{# SQLite returns a time as text. dbt-sqlite does not parse it, but dbt needs it parsed. #}
{% macro sqlite__collect_freshness(source, loaded_at_field, filter) %}
  {% call statement('collect_freshness', fetch_result=True, auto_begin=False) -%}
    select max({{ loaded_at_field }}) from {{ source }}{% if filter %} where {{ filter }}{% endif %}
  {%- endcall %}
  {% set found = load_result('collect_freshness') %}
  {% set latest = found['data'][0][0] %}
  {% set datetime = modules.datetime.datetime %}
  {% set moments = [datetime.fromisoformat(latest ~ '+00:00') if latest else none, datetime.now(modules.pytz.utc)] %}
  {{ return(namespace(response=found['response'], table=[moments])) }}
{% endmacro %}
