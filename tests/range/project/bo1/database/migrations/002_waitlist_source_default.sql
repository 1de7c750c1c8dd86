-- Hotfix: the landing page stopped sending a source.
UPDATE waitlist SET source = 'landing' WHERE source IS NULL;
ALTER TABLE waitlist ALTER COLUMN source SET DEFAULT 'landing';
