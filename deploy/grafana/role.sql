-- Creates Grafana's database user, which can read the views in the schema `grafana` and nothing else. Run this once
-- as the owner of the database (the user of DATABASE_URL), after the first start of the server:
--
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -v password='…' -f deploy/grafana/role.sql
--
-- Running it again changes the password and restores the grants.

select not exists (select from pg_roles where rolname = 'telemetry_grafana') as is_new \gset
\if :is_new
create role telemetry_grafana login;
\endif
alter role telemetry_grafana login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
    connection limit 10 password :'password';
-- Limits the impact of expensive dashboard queries on the database.
alter role telemetry_grafana set default_transaction_read_only = on;
alter role telemetry_grafana set statement_timeout = '15s';
alter role telemetry_grafana set idle_in_transaction_session_timeout = '15s';
alter role telemetry_grafana set search_path = grafana;
-- Days are UTC days.
alter role telemetry_grafana set timezone = 'UTC';
-- Revokes default privileges of databases created with PostgreSQL 14 or older.
revoke create on schema public from public;
select format('revoke temporary on database %I from public', current_database()) \gexec
select format('grant connect on database %I to telemetry_grafana', current_database()) \gexec

revoke all on all tables in schema public from telemetry_grafana;
grant usage on schema grafana to telemetry_grafana;
grant select on all tables in schema grafana to telemetry_grafana;
-- Includes views added by later versions.
alter default privileges in schema grafana grant select on tables to telemetry_grafana;
