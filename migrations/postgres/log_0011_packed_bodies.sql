-- What was delivered is packed before it comes here: PostgreSQL need not try to make it smaller once more.
ALTER TABLE webhook_inbox ALTER COLUMN body SET STORAGE EXTERNAL;
