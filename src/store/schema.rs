//! The tables and their versions: what a new file gets, and what brings an
//! older one to it.

use super::{Result, StoreError};
use rusqlite::Connection;

/// Each element brings a file from the version of its index to the next one,
/// in one transaction. Never change one that was released: add another.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// This version's schema.
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// * `conversation`: (number, user) as one small number, which is also the lane.
///   `pair_full_at_us` is the pair's token bucket (policy::pacing).
/// * `alias`: every id a user was seen with → the conversation.
/// * `event`: what Meta sent, in order of arrival.
/// * `queue`: one row a consumer and one a sending number; its breaker, its
///   token bucket, its halt.
/// * `outbox`: messages on their way out and what became of them. AUTOINCREMENT:
///   ids travel to Meta and come back in statuses, so none may be used twice.
///   `answer` is what Graph answered last, for callers of the API.
/// * `idempotency`: the `Idempotency-Key`s of API callers and what each made.
/// * `job`: one piece of work in a lane. `state` is rows::JobState. `due` is set
///   only while the job is the first of its lane and not running, so that the
///   due index holds one row a lane and a claim costs the same at any backlog.
///   `not_before` keeps a wait (a backoff, the window of a lost answer) for a job
///   that is not first of its lane any more, because two lanes became one.
const VERSION_1: &str = "
CREATE TABLE meta(
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES('instance', lower(hex(randomblob(8))));

CREATE TABLE conversation(
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL,
  user TEXT NOT NULL,
  merged_into INTEGER,
  pair_full_at_us INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE alias(
  number TEXT NOT NULL,
  user TEXT NOT NULL,
  conversation INTEGER NOT NULL,
  PRIMARY KEY(number, user)
) WITHOUT ROWID;
CREATE INDEX alias_conversation ON alias(conversation);

CREATE TABLE event(
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL,
  kind INTEGER NOT NULL,
  field TEXT NOT NULL,
  type TEXT NOT NULL,
  key TEXT NOT NULL,
  conversation INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE UNIQUE INDEX event_digest ON event(digest);

CREATE TABLE queue(
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  closed_until INTEGER NOT NULL DEFAULT 0,
  full_at_us INTEGER NOT NULL DEFAULT 0,
  halt TEXT,
  halt_scope TEXT,
  token_digest TEXT,
  halt_since INTEGER,
  UNIQUE(kind, name)
);

CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  number TEXT NOT NULL,
  conversation INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  wamid TEXT,
  error_code INTEGER,
  error TEXT,
  tries_max INTEGER,
  answer_status INTEGER,
  answer TEXT,
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  cause INTEGER
);
CREATE UNIQUE INDEX outbox_wamid ON outbox(wamid) WHERE wamid IS NOT NULL;
CREATE INDEX outbox_state ON outbox(state, id);

CREATE TABLE idempotency(
  digest BLOB PRIMARY KEY,
  request BLOB NOT NULL,
  outbox INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency(created_at);

CREATE TABLE job(
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  event INTEGER,
  outbox INTEGER,
  state INTEGER NOT NULL DEFAULT 0,
  due INTEGER,
  not_before INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT
);
CREATE INDEX job_lane ON job(queue, lane, id) WHERE state < 2;
CREATE INDEX job_due ON job(queue, due) WHERE due IS NOT NULL;
CREATE INDEX job_event ON job(event) WHERE event IS NOT NULL;
CREATE INDEX job_outbox ON job(outbox) WHERE outbox IS NOT NULL;
CREATE INDEX job_running ON job(id) WHERE state = 1;
CREATE INDEX job_dead ON job(id) WHERE state = 3;
";

/// * `queue.waba`: the account a sending number belongs to, once a notification
///   told; what Meta says of an account concerns all its numbers.
/// * `queue.throttle_…`: policy::throttle. `queue.full_at_us` is since then the
///   time at which the number's next send may begin (policy::pacing).
/// * `conversation.pair_refused`: how often in a row Graph refused the pair for
///   its pace. `wrote_at`, `answered_at`: whether its customer waits, and
///   `job.priority`: policy::priority, as is `queue.replies_in_a_row`.
/// * `media`: a file that an event names, one row for each of both, so that it is
///   known what belongs to an event or to its conversation. `file` is its name in
///   MEDIA_DIR once it was fetched; several rows have the same when they have the
///   same content. `sha256` is what Meta announced, then what the file has.
/// * `job.media`: the file that the job fetches. Its lane is the negative of that
///   row's id: one of its own, and no conversation's.
/// * `upload`: files that Meta has from us, and the ids it gave them.
/// * `queue.token_digest`: the token a number sends with. It was the halt's.
/// * `outbox.uncertain`: an attempt ended without a known outcome;
///   `outbox.resent`: attempts that began after such a one.
/// * `halt`: what stands still until a person acts, a row for each token, number,
///   account or app (gateway::halts). Version 1 had a number's halt in its queue;
///   `halt_since` was when it was last seen, which is as good as is known. What was
///   an account's becomes the number's: its account was not known. `by_status`:
///   statuses told of it. `queue.mended_at`: when the number's last halt ended.
/// * `conversation.first_message`: the event with which its person first turned to
///   us; 0 when it is not known which. `marketing_stopped_at`: since when that
///   person wants no marketing.
/// * `template`: whether a template is marketing, by how Meta priced one.
/// * `rest`: rules that do not fire in a conversation until a time.
/// * `seen`: a digest → its event, by which duplicates are found.
/// * `lane`: the open jobs of each lane, in order.
/// * `filed`: up to which event `seen` is whole, up to which job `lane`. What is
///   newer may be missing there: see store::filing.
/// * `conversation.opened_at`, `entered_at`, `free_until`: what the customer service
///   window hangs on (policy::window::Seen).
/// * `previous` of an event or a message: the one before it in its conversation,
///   whose `last_event` and `last_message` are the newest. `joined`: the
///   conversation that became part of this one last; its `next_joined` the one
///   before that (gateway::thread). Of what version 1 stored, the newest is
///   chained: to write all of it anew could take minutes.
/// * `conversation.taken_…`, `given_at`: policy::handover::Hands.
/// * `outbox.substitute`: the template that went out in the message's place.
/// * `queue.served`: 0 for an observer that the settings do not name any more.
/// * `attempt`: what attempts at a job got that did not end well, the newest of
///   them. Of the others it is known from the job how many there were.
/// * `person`: what a conversation's person is called, and `word`: the words in
///   it, by which they are found. Learned from events behind the service's back
///   (gateway::names): `filed` has up to which event, as `name`.
/// * `job.burst`: rows::Job::burst.
/// * `trail`: what operators did on the console. `ended_session`: sessions that
///   were logged out, until they would have ended by themselves.
/// * `tally`: store::tally. `standing`: policy::standing, of numbers by the digits
///   they are shown by; what version 1 was told is not known.
/// * `filed` of `event ids` and the like: ids up to which were given, when the rows
///   that had them may be gone: none is given twice.
/// * `newest`: which event was the newest at a time, by which it is known how old
///   the digests of deleted events are.
/// * `unwilling`: digests of (number, user) of people who were forgotten and wanted
///   no marketing.
/// * `alarm`: what needs a person, as the service last saw it; `notice`: what Meta
///   told of numbers, templates and accounts, and when tokens end (policy::alarm).
///   `alert`: what ALERT_URL is still to be told. `event_news`: the few events that
///   notices are made of; what came before version 2 is not told anew.
const VERSION_2: &str = "
ALTER TABLE queue ADD COLUMN waba TEXT;
ALTER TABLE queue ADD COLUMN mended_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN throttled_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN throttle_hits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN throttle_share INTEGER NOT NULL DEFAULT 1000;
ALTER TABLE conversation ADD COLUMN pair_refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN replies_in_a_row INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN wrote_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN answered_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
UPDATE job SET priority = 1
  WHERE state < 2 AND outbox IN (SELECT id FROM outbox WHERE type = 'template');
DROP INDEX job_running;
CREATE INDEX job_running ON job(queue) WHERE state = 1;
DROP INDEX job_due;
CREATE INDEX job_due ON job(queue, priority, due) WHERE due IS NOT NULL;
ALTER TABLE conversation ADD COLUMN opened_at INTEGER;
ALTER TABLE conversation ADD COLUMN entered_at INTEGER;
ALTER TABLE conversation ADD COLUMN free_until INTEGER;
ALTER TABLE outbox ADD COLUMN substitute TEXT;
ALTER TABLE queue ADD COLUMN served INTEGER NOT NULL DEFAULT 1;

CREATE TABLE media(
  id INTEGER PRIMARY KEY,
  event INTEGER NOT NULL,
  media_id TEXT NOT NULL,
  number TEXT NOT NULL,
  kind TEXT NOT NULL,
  mime_type TEXT,
  filename TEXT,
  sha256 BLOB,
  bytes INTEGER,
  file TEXT,
  created_at INTEGER NOT NULL,
  fetched_at INTEGER,
  UNIQUE(event, media_id)
);
CREATE INDEX media_id ON media(media_id);
CREATE INDEX media_file ON media(file) WHERE file IS NOT NULL;
ALTER TABLE job ADD COLUMN media INTEGER;
CREATE INDEX job_media ON job(media) WHERE media IS NOT NULL;

CREATE TABLE upload(
  number TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  mime_type TEXT NOT NULL,
  media_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY(number, sha256, mime_type)
) WITHOUT ROWID;
CREATE INDEX upload_age ON upload(created_at);
CREATE INDEX upload_media ON upload(media_id);
ALTER TABLE outbox ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN resent INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET uncertain = 1 WHERE state = 'unknown';
CREATE TABLE halt(
  scope TEXT NOT NULL,
  subject TEXT NOT NULL,
  number TEXT NOT NULL,
  token_digest TEXT NOT NULL,
  code INTEGER,
  reason TEXT NOT NULL,
  details TEXT,
  since INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  probe_at INTEGER NOT NULL,
  probe INTEGER,
  by_status INTEGER NOT NULL,
  PRIMARY KEY(scope, subject)
) WITHOUT ROWID;
INSERT OR IGNORE INTO halt
  SELECT CASE WHEN halt_scope IN ('token', 'app') THEN halt_scope ELSE 'number' END,
         CASE halt_scope WHEN 'token' THEN token_digest WHEN 'app' THEN '' ELSE name END,
         name, token_digest, NULL, halt, NULL, halt_since, failures, closed_until, NULL, 0
  FROM queue WHERE halt IS NOT NULL AND token_digest <> '';
UPDATE queue SET failures = 0, closed_until = 0 WHERE halt IS NOT NULL;
UPDATE queue SET token_digest = NULL WHERE token_digest = '';
ALTER TABLE queue DROP COLUMN halt;
ALTER TABLE queue DROP COLUMN halt_scope;
ALTER TABLE queue DROP COLUMN halt_since;

CREATE TABLE seen(
  digest BLOB PRIMARY KEY,
  event INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO seen SELECT digest, id FROM event ORDER BY digest;
DROP INDEX event_digest;

CREATE TABLE lane(
  queue INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  job INTEGER NOT NULL,
  PRIMARY KEY(queue, lane, job)
) WITHOUT ROWID;
INSERT INTO lane SELECT queue, lane, id FROM job WHERE state < 2 ORDER BY queue, lane, id;
DROP INDEX job_lane;

CREATE TABLE filed(
  log TEXT PRIMARY KEY,
  upto INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO filed SELECT 'event', coalesce(max(id), 0) FROM event;
INSERT INTO filed SELECT 'job', coalesce(max(id), 0) FROM job;
INSERT INTO filed VALUES('event ids', 0), ('job ids', 0), ('media ids', 0), ('conversation ids', 0);
CREATE TABLE newest(
  at INTEGER PRIMARY KEY,
  event INTEGER NOT NULL
);
CREATE TABLE unwilling(digest BLOB PRIMARY KEY) WITHOUT ROWID;

ALTER TABLE conversation ADD COLUMN first_message INTEGER;
ALTER TABLE conversation ADD COLUMN marketing_stopped_at INTEGER;
UPDATE conversation SET first_message = first.event FROM
  (SELECT conversation, min(id) AS event FROM event
   WHERE kind = 0 AND field = 'messages' GROUP BY conversation) AS first
  WHERE first.conversation = conversation.id;
UPDATE conversation SET first_message = 0
  WHERE id IN (SELECT merged_into FROM conversation WHERE merged_into IS NOT NULL);
CREATE TABLE template(
  number TEXT NOT NULL,
  name TEXT NOT NULL,
  marketing INTEGER NOT NULL,
  PRIMARY KEY(number, name)
) WITHOUT ROWID;
ALTER TABLE conversation ADD COLUMN taken_by TEXT;
ALTER TABLE conversation ADD COLUMN taken_since INTEGER;
ALTER TABLE conversation ADD COLUMN taken_until INTEGER;
ALTER TABLE conversation ADD COLUMN given_at INTEGER;
CREATE INDEX conversation_taken ON conversation(taken_until) WHERE taken_until IS NOT NULL;
CREATE TABLE rest(
  conversation INTEGER NOT NULL,
  rule TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY(conversation, rule)
) WITHOUT ROWID;

ALTER TABLE event ADD COLUMN previous INTEGER;
ALTER TABLE outbox ADD COLUMN previous INTEGER;
ALTER TABLE conversation ADD COLUMN last_event INTEGER;
ALTER TABLE conversation ADD COLUMN last_message INTEGER;
ALTER TABLE conversation ADD COLUMN joined INTEGER;
ALTER TABLE conversation ADD COLUMN next_joined INTEGER;
UPDATE event SET previous = chain.previous FROM
  (SELECT id, lag(id) OVER (PARTITION BY conversation ORDER BY id) AS previous FROM event
   WHERE kind IN (0, 2) AND id > (SELECT max(id) - 100000 FROM event)) AS chain
  WHERE chain.id = event.id AND chain.previous IS NOT NULL;
UPDATE conversation SET last_event = newest.id FROM
  (SELECT conversation, max(id) AS id FROM event
   WHERE kind IN (0, 2) AND id > (SELECT max(id) - 100000 FROM event)
   GROUP BY conversation) AS newest
  WHERE newest.conversation = conversation.id;
UPDATE outbox SET previous = chain.previous FROM
  (SELECT id, lag(id) OVER (PARTITION BY conversation ORDER BY id) AS previous FROM outbox
   WHERE type NOT IN ('read', 'typing') AND id > (SELECT max(id) - 100000 FROM outbox)) AS chain
  WHERE chain.id = outbox.id AND chain.previous IS NOT NULL;
UPDATE conversation SET last_message = newest.id FROM
  (SELECT conversation, max(id) AS id FROM outbox
   WHERE type NOT IN ('read', 'typing') AND id > (SELECT max(id) - 100000 FROM outbox)
   GROUP BY conversation) AS newest
  WHERE newest.conversation = conversation.id;
UPDATE conversation SET next_joined = chain.next FROM
  (SELECT id, lag(id) OVER (PARTITION BY merged_into ORDER BY id) AS next FROM conversation
   WHERE merged_into IS NOT NULL) AS chain
  WHERE chain.id = conversation.id;
UPDATE conversation SET joined = newest.id FROM
  (SELECT merged_into, max(id) AS id FROM conversation
   WHERE merged_into IS NOT NULL GROUP BY merged_into) AS newest
  WHERE newest.merged_into = conversation.id;

CREATE TABLE attempt(
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  said TEXT NOT NULL
);
CREATE INDEX attempt_job ON attempt(job, id);

CREATE TABLE person(
  conversation INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  username TEXT NOT NULL
);
CREATE TABLE word(
  word TEXT NOT NULL,
  conversation INTEGER NOT NULL,
  PRIMARY KEY(word, conversation)
) WITHOUT ROWID;
CREATE INDEX word_conversation ON word(conversation);
INSERT INTO filed VALUES('name', 0);

ALTER TABLE job ADD COLUMN burst INTEGER;
CREATE INDEX job_burst ON job(burst) WHERE burst IS NOT NULL;

CREATE TABLE trail(
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  session TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL
);
CREATE TABLE ended_session(
  id BLOB PRIMARY KEY,
  over_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tally(
  minute INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  answered INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  failed INTEGER NOT NULL
);
CREATE TABLE standing(
  digits TEXT PRIMARY KEY,
  quality TEXT,
  limited TEXT,
  throughput TEXT,
  told_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE alarm(
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  says TEXT NOT NULL,
  mend TEXT NOT NULL,
  since INTEGER NOT NULL,
  gone_at INTEGER,
  alerted INTEGER NOT NULL,
  PRIMARY KEY(kind, subject)
) WITHOUT ROWID;
CREATE TABLE notice(
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  says TEXT NOT NULL,
  mend TEXT NOT NULL,
  until INTEGER,
  PRIMARY KEY(kind, subject)
) WITHOUT ROWID;
CREATE TABLE alert(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  says TEXT NOT NULL,
  mend TEXT NOT NULL,
  since INTEGER NOT NULL,
  over_at INTEGER,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL
);
CREATE INDEX event_news ON event(id)
  WHERE kind = 3 AND field IN ('account_alerts', 'account_review_update',
    'account_update', 'message_template_quality_update',
    'message_template_status_update', 'phone_number_quality_update', 'security');
INSERT INTO meta SELECT 'news_upto', coalesce(max(id), 0) FROM event;
";

/// * `event.opened_at`, `entered_at`, `free_until`: what the event alone says of its
///   conversation's window.
/// * `filed` has, as `talk`, up to which event conversations have what events left
///   there: store::filing::talks.
const VERSION_3: &str = "
ALTER TABLE event ADD COLUMN opened_at INTEGER;
ALTER TABLE event ADD COLUMN entered_at INTEGER;
ALTER TABLE event ADD COLUMN free_until INTEGER;
INSERT INTO filed SELECT 'talk', coalesce(max(id), 0) FROM event;
";

/// * `other_wamid`: ids that Graph gave a message beside the one in its row: of a try
///   that failed before an operator's, or of one whose answer was lost. What version 3
///   had of them is not known.
/// * `job.reopened_at`: when an operator had it done again last; how old it may become
///   counts from then on.
const VERSION_4: &str = "
CREATE TABLE other_wamid(
  wamid TEXT PRIMARY KEY,
  message INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX other_wamid_message ON other_wamid(message);
ALTER TABLE job ADD COLUMN reopened_at INTEGER;
";

/// The version of the file's schema; 0 for a new file.
///
/// # Errors
/// [`StoreError::Newer`] when a newer wabridge wrote it, [`StoreError::Foreign`] when
/// another program did.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > KNOWN {
        return Err(StoreError::Newer {
            found,
            known: KNOWN,
        });
    }
    let sql = "SELECT count(*) FROM sqlite_master";
    if found == 0 && connection.query_row(sql, [], |row| row.get::<_, i64>(0))? > 0 {
        return Err(StoreError::Foreign);
    }
    Ok(found)
}

/// Brings the file to this version's schema.
///
/// # Errors
/// Those of [`version`].
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    if version(connection)? == KNOWN {
        return Ok(());
    }
    // Exclusive: two processes may open a new file at the same moment.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    let found = version(&tx)?;
    for migration in &MIGRATIONS[found as usize..] {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "user_version", KNOWN)?;
    tx.commit()?;
    Ok(())
}

/// Leaves the schema as it is: the service of the version that wrote the file may
/// be running.
///
/// # Errors
/// Those of [`version`], and [`StoreError::Older`] when there is something to bring
/// up to date.
pub(super) fn expect_current(connection: &Connection) -> Result<()> {
    match version(connection)? {
        KNOWN => Ok(()),
        found => Err(StoreError::Older {
            found,
            known: KNOWN,
        }),
    }
}

#[cfg(test)]
mod tests;
