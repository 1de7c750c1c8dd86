-- Hotfix: the persona report times out.
CREATE INDEX IF NOT EXISTS idx_contributions_persona_code
    ON contributions (persona_code, created_at);
