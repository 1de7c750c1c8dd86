-- Hotfix: the dashboard's "running" tab scanned all of sessions.
CREATE INDEX IF NOT EXISTS idx_sessions_running
    ON sessions (updated_at) WHERE status = 'running';
