-- The data of the baseline, run by bo1 after the seven revisions: some thousands of
-- accounts and sessions, the same in every range, and the record of the legacy SQL
-- files, whose third is still to be applied.
BEGIN;

INSERT INTO users (id, email, display_name, auth_provider, subscription_tier, gdpr_consent_at,
                   created_at, updated_at)
SELECT 'usr_' || lpad(n::text, 6, '0'),
       lower(first) || '.' || lower(last) || n || '@example.com',
       first || ' ' || last,
       (ARRAY['email', 'google', 'linkedin', 'github'])[1 + n % 4],
       (ARRAY['free', 'free', 'free', 'starter', 'pro'])[1 + n % 5],
       joined, joined, joined + (n % 97) * interval '1 hour'
FROM generate_series(1, 4000) AS n,
     LATERAL (SELECT
         (ARRAY['Ada', 'Grace', 'Linus', 'Barbara', 'Edsger', 'Frances', 'Ken', 'Radia'])
             [1 + n % 8] AS first,
         (ARRAY['Okafor', 'Lindqvist', 'Moreau', 'Tanaka', 'Novak', 'Silva', 'Hughes'])
             [1 + n % 7] AS last,
         timestamptz '2025-09-03 08:00+00' + n * interval '31 minutes' AS joined) AS person;

INSERT INTO sessions (id, user_id, problem_statement, problem_context, status, total_cost,
                      created_at, updated_at, completed_at)
SELECT 'bo1_' || left(md5(n::text), 12),
       'usr_' || lpad((1 + (n * 7919) % 4000)::text, 6, '0'),
       (ARRAY['Should we open a second office?', 'Which pricing model fits a seat-based product?',
              'Hire a sales lead or keep selling ourselves?', 'Is it time to raise a seed round?',
              'Build the mobile app or improve the web one?'])[1 + n % 5],
       jsonb_build_object('industry', (ARRAY['saas', 'retail', 'health', 'energy'])[1 + n % 4],
                          'employees', 1 + n % 240),
       status, (n % 900) / 1000.0, began, began + interval '11 minutes',
       CASE WHEN status = 'completed' THEN began + interval '11 minutes' END
FROM generate_series(1, 9000) AS n,
     LATERAL (SELECT
         (ARRAY['completed', 'completed', 'completed', 'completed', 'failed', 'running'])
             [1 + n % 6] AS status,
         timestamptz '2025-09-05 08:00+00' + n * interval '14 minutes' AS began) AS run;

INSERT INTO contributions (session_id, persona_code, round_number, content, created_at)
SELECT id, (ARRAY['growth_hacker', 'finance_strategist', 'risk_officer'])[round], round,
       'Round ' || round || ': ' || problem_statement, created_at + round * interval '3 minutes'
FROM sessions, generate_series(1, 2) AS round;

INSERT INTO actions (session_id, title, status, due_on, created_at)
SELECT id, 'Decide: ' || problem_statement, CASE WHEN total_cost > 0.6 THEN 'done' ELSE 'todo' END,
       created_at::date + 30, completed_at
FROM sessions WHERE status = 'completed';

INSERT INTO waitlist (email, source)
SELECT 'waiting' || n || '@example.com', CASE WHEN n % 3 > 0 THEN 'launch-post' END
FROM generate_series(1, 300) AS n;

CREATE TABLE sql_migrations (
    id serial PRIMARY KEY,
    filename varchar(255) NOT NULL UNIQUE,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sql_migrations IS 'Legacy SQL files of bo1/database/migrations that were applied';
INSERT INTO sql_migrations (filename, applied_at) VALUES
    ('001_sessions_running_index.sql', '2025-11-12 22:47:05+00'),
    ('002_waitlist_source_default.sql', '2025-11-27 07:15:41+00');

COMMIT;
ANALYZE users, sessions, contributions, actions, waitlist;
