{# The day of a moment in UTC, as text: YYYY-MM-DD. #}
{% macro day_of(moment) %}{{ return(adapter.dispatch('day_of', 'tfy_registry')(moment)) }}{% endmacro %}

{% macro default__day_of(moment) %}to_char({{ moment }} at time zone 'UTC', 'YYYY-MM-DD'){% endmacro %}

{% macro sqlite__day_of(moment) %}substr({{ moment }}, 1, 10){% endmacro %}
