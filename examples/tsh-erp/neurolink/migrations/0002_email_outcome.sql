-- What became of the e-mail of a critical event: sent, off, or failed and why.
ALTER TABLE neurolink.events ADD COLUMN IF NOT EXISTS email_to varchar(255);
ALTER TABLE neurolink.events ADD COLUMN IF NOT EXISTS email_outcome varchar(200);
