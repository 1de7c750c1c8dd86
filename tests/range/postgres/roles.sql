-- The roles and the empty database of the range, run once by the superuser. What each
-- role may see and do is part of the interface: bo1 runs the application and is on call,
-- reader sees only its own sessions, secured must give a password over TCP.
CREATE ROLE bo1 LOGIN;
GRANT pg_monitor, pg_signal_backend TO bo1;
CREATE ROLE reader LOGIN;
CREATE ROLE secured LOGIN PASSWORD :'password';
CREATE DATABASE boardofone OWNER bo1;
\c boardofone
ALTER SCHEMA public OWNER TO bo1;
ALTER DEFAULT PRIVILEGES FOR ROLE bo1 GRANT SELECT ON TABLES TO reader, secured;
