-- A role for a resource server that reads the tables itself (PostgreSQL). It sees neither tokens nor client secrets,
-- and changes nothing. Sessions need the second and third line, tokens all but the third: give what you use.
CREATE ROLE mcp_ro LOGIN;  -- and a password: \password mcp_ro
GRANT SELECT (id, username, password, is_active, is_staff, is_superuser) ON auth_user TO mcp_ro;
GRANT SELECT (session_key, session_data, expire_date) ON django_session TO mcp_ro;
GRANT SELECT (token_checksum, expires, scope, resource, user_id, application_id) ON oauth2_provider_accesstoken TO mcp_ro;
GRANT SELECT (id, client_id) ON oauth2_provider_application TO mcp_ro;
