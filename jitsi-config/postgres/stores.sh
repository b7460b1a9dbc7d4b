#!/bin/sh
# A database and a user of its own for each store, made at the first start. A user reaches no other database.
set -eu
secrets="${STORES_SECRETS:-/run/secrets}"
in_sql() {
  psql -v ON_ERROR_STOP=1 --quiet --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres "$@"
}
in_sql <<'SQL'
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
SQL
for store in meetings people sessions; do
  STORE_PASSWORD=$(cat "$secrets/pg_$store")
  export STORE_PASSWORD # not an argument, which everybody on the machine could read
  in_sql -v store="$store" -v user="tillit_$store" <<'SQL'
\getenv password STORE_PASSWORD
CREATE ROLE :"user" LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE :"store" OWNER :"user" TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE :"store" FROM PUBLIC;
SQL
done
