//! The tables, their versions, and how a file is opened.

use super::filing::{RECENT_MAX, Unfiled};
use super::tally::Tally;
use super::tx::Entered;
use super::{Result, StoreError, Tx};
use rusqlite::{Connection, OpenFlags};
use std::cell::{Cell, RefCell};
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each element brings a file from the version of its index to the next one,
/// in one transaction. Never change one that was released: add another.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2];

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

/// How long a writer waits for another process that holds the file.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// How long everybody waits, while the log is emptied, for somebody who reads.
const LOG_WAIT: Duration = Duration::from_millis(50);

/// The page cache: enough for the hot pages of the indexes, small enough that
/// the process stays within a few megabytes.
const CACHE_KIB: i64 = 4 * 1024;

/// The log is written back into the file by a thread of its own
/// (store::write_back). Should it not keep up, the commit that finds this
/// many pages (of 4 KiB) in the log does it itself, and everybody waits.
const LOG_PAGES_MAX: i64 = 16_000;

/// What a process means to do with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be the one service on this file.
    Serve,
    /// Look, and change a row now and then, beside a running service.
    Visit,
}

/// An open database file.
pub struct Database {
    connection: Connection,
    pub(super) unfiled: RefCell<Unfiled>,
    /// In the transaction that was begun last.
    entered: Cell<Entered>,
    tally: RefCell<Tally>,
    /// The name of a database in memory.
    in_memory: Option<String>,
    /// Held, not read: the lock of `Access::Serve` ends with the process,
    /// however it ends.
    _lock: Option<File>,
}

impl Database {
    /// Opens the file, makes it when there is none, and brings it to this
    /// version's schema.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another service runs on it,
    /// [`StoreError::Newer`] when a newer wabridge wrote it.
    pub fn open(path: &Path, access: Access) -> Result<Database> {
        let cannot_open = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full,
            _ => StoreError::Open {
                path: path.display().to_string(),
                source,
            },
        };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty())
            && !folder.is_dir()
        {
            return Err(cannot_open(std::io::ErrorKind::NotFound.into()));
        }
        let lock = match access {
            Access::Serve => Some(lock(path).map_err(|error| match error {
                TryLockError::WouldBlock => StoreError::InUse {
                    path: path.display().to_string(),
                },
                TryLockError::Error(source) => cannot_open(source),
            })?),
            Access::Visit => None,
        };
        // It holds every message, so nobody else reads it; SQLite gives the log
        // beside it the same rights. Only a new file: closing a descriptor of an
        // existing one would end the locks that SQLite holds in this process.
        let made = File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path);
        match made {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(cannot_open(error));
            }
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|error| cannot_open(std::io::Error::other(error)))?;
        Database::prepare(connection, None, lock)
    }

    /// The file; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        let path = self.connection.path().filter(|_| self.in_memory.is_none());
        path.map(Path::new)
    }

    /// Whether a service runs on the file.
    pub fn is_served(path: &Path) -> bool {
        matches!(lock(path), Err(TryLockError::WouldBlock))
    }

    /// A database in memory, for tests and the simulator. It ends with the last
    /// that is open on it.
    pub fn in_memory() -> Result<Database> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Database::open_memory(format!("/wabridge-{number}"))
    }

    fn open_memory(name: String) -> Result<Database> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(&name, flags, c"memdb")?;
        Database::prepare(connection, Some(name), None)
    }

    /// The same database once more, as another process opens it beside this one
    /// or after it.
    pub fn beside(&self) -> Result<Database> {
        match (&self.in_memory, self.path()) {
            (None, Some(path)) => Database::open(path, Access::Visit),
            (name, _) => Database::open_memory(name.clone().unwrap_or_default()),
        }
    }

    /// Of each log at most so many rows are held in memory before they are
    /// filed (`store::filing`). Tests want few.
    pub fn with_recent_max(self, rows: usize) -> Database {
        Database {
            unfiled: RefCell::new(Unfiled::new(rows)),
            ..self
        }
    }

    fn prepare(
        mut connection: Connection,
        in_memory: Option<String>,
        lock: Option<File>,
    ) -> Result<Database> {
        connection.busy_timeout(BUSY_WAIT)?;
        // Before there is a first page: free pages can go back to the disk. Files
        // of before keep theirs for what comes; a copy of one (store::backup)
        // is as if it were new. Not after that: it is written into the file each
        // time, and whoever looks on can do so on a full disk as well.
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        if pages == 0 {
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        // What is deleted is overwritten with zeros.
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: with NORMAL a commit can be lost at a power failure after the
        // 200 has gone out.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        connection.set_prepared_statement_cache_capacity(128);
        migrate(&mut connection)?;
        Ok(Database {
            connection,
            unfiled: RefCell::new(Unfiled::new(RECENT_MAX)),
            entered: Cell::default(),
            tally: RefCell::default(),
            in_memory,
            _lock: lock,
        })
    }

    /// Runs `step` in one transaction: committed when it returns a value,
    /// undone when it returns an error.
    pub fn commit<T>(&mut self, step: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.begin()?;
        let outcome = step(&self.tx()).and_then(|value| {
            self.end()?;
            Ok(value)
        });
        if outcome.is_err() {
            self.undo();
        }
        outcome
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        self.entered.take();
        self.unfiled.borrow_mut().begin(&self.connection)
    }

    pub(super) fn end(&self) -> Result<()> {
        self.tally.borrow_mut().write(&self.connection)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.tally.borrow_mut().committed();
        Ok(())
    }

    /// Undoes the open transaction. SQLite has done so itself after some
    /// errors (a full disk among them); then there is nothing left to do.
    pub(super) fn undo(&self) {
        self.unfiled.borrow_mut().forget();
        self.tally.borrow_mut().forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            log::error!("msg=\"the database cannot undo a step\" error=\"{error}\"");
        }
    }

    pub(super) fn tx(&self) -> Tx<'_> {
        Tx::new(&self.connection, &self.unfiled, &self.entered, &self.tally)
    }

    /// Messages that came into a state in the transaction that was begun last.
    pub(super) fn entered(&self) -> Entered {
        self.entered.get()
    }

    /// Reads without a transaction of its own.
    pub fn read<T>(&self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        look(&self.tx())
    }

    /// Reads what was committed at one moment, in as many steps as it takes.
    pub fn read_one_moment<T>(&self, look: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let outcome = look(&self.tx());
        self.undo();
        outcome
    }

    /// Writes all that is committed into the empty file that `to` names.
    pub(super) fn copy_into(&self, to: &[&dyn rusqlite::ToSql]) -> Result<()> {
        self.connection.execute("VACUUM INTO ?1", to)?;
        Ok(())
    }

    /// Writes the log back into the file and empties it: what was deleted is in
    /// neither then. Whether that went through: somebody who reads, or writes back
    /// at this moment, is in its way.
    pub fn empty_log(&self) -> Result<bool> {
        let checkpoint = |how| -> Result<i64> {
            let sql = format!("PRAGMA wal_checkpoint({how})");
            Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
        };
        // What takes long waits for nobody and keeps nobody waiting.
        checkpoint("PASSIVE")?;
        self.connection.busy_timeout(LOG_WAIT)?;
        let busy = checkpoint("TRUNCATE");
        self.connection.busy_timeout(BUSY_WAIT)?;
        match busy {
            Ok(busy) => Ok(busy == 0),
            Err(StoreError::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many rows a table has.
    pub(super) fn count_of(&self, table: &'static str) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(self.connection.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Whether the file's pages and indexes are sound: what is not, in SQLite's
    /// words or ours.
    pub fn damage(&self) -> Result<Vec<String>> {
        let mut statement = self.connection.prepare("PRAGMA quick_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
        let mut damage: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
        for (what, sql) in UNSOUND {
            let rows: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
            if rows > 0 {
                damage.push(format!("{rows} {what}"));
            }
        }
        Ok(damage)
    }
}

/// What must not be in the indexes that are ours (`store::filing`), and how to
/// count it.
const UNSOUND: &[(&str, &str)] = &[
    (
        "places in lanes are of no job that is open there",
        "SELECT count(*) FROM lane AS l WHERE NOT EXISTS(
           SELECT 1 FROM job
           WHERE id = l.job AND queue = l.queue AND job.lane = l.lane AND state < 2)",
    ),
    (
        "open jobs are in no lane",
        "SELECT count(*) FROM job
         WHERE state < 2 AND id <= (SELECT upto FROM filed WHERE log = 'job')
           AND NOT EXISTS(SELECT 1 FROM lane AS l
                          WHERE l.queue = job.queue AND l.lane = job.lane AND l.job = job.id)",
    ),
    (
        "events would not be known again",
        "SELECT count(*) FROM event
         WHERE id <= (SELECT upto FROM filed WHERE log = 'event')
           AND NOT EXISTS(SELECT 1 FROM seen
                          WHERE seen.digest = event.digest AND seen.event = event.id)",
    ),
];

/// One service a file. The lock is on a file of its own, since SQLite locks
/// the database itself.
fn lock(path: &Path) -> std::result::Result<File, TryLockError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let known = MIGRATIONS.len() as i64;
    let version = |c: &Connection| c.pragma_query_value(None, "user_version", |r| r.get(0));
    if version(connection)? == known {
        return Ok(());
    }
    // Exclusive: two processes may open a new file at the same moment.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    let found: i64 = version(&tx)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for migration in &MIGRATIONS[found as usize..] {
        tx.execute_batch(migration)?;
    }
    tx.pragma_update(None, "user_version", known)?;
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rows::JobState;
    use super::*;
    use crate::policy::handover::Hands;
    use crate::policy::priority::Priority;
    use crate::policy::window::{Seen, Window};

    fn file(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("wabridge-schema-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    #[test]
    fn a_file_of_a_newer_version_is_refused_with_the_mend() {
        let path = file("newer.db");
        drop(Database::open(&path, Access::Visit).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        let error = Database::open(&path, Access::Serve).err().unwrap();
        assert!(
            matches!(error, StoreError::Newer { found: 99, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("use the newer wabridge"));
    }

    /// A file as version 1 left it, with these rows.
    fn version_1(name: &str, rows: &str) -> PathBuf {
        let path = file(name);
        let _ = std::fs::remove_file(&path);
        let old = Connection::open(&path).unwrap();
        old.execute_batch(VERSION_1).unwrap();
        old.execute_batch(rows).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        path
    }

    #[test]
    fn a_file_of_version_1_keeps_its_rows() {
        let path = version_1(
            "version-1.db",
            "INSERT INTO queue(id, kind, name, failures, closed_until, full_at_us)
               VALUES(7, 1, '106540300000001', 2, 5, 9);
             INSERT INTO outbox(id, number, conversation, recipient, type, body, state, wamid,
                                created_at, changed_at)
               VALUES(17, '106540300000001', 3, '15550100001', 'text', '{}', 'sent', 'w', 1, 2);
             INSERT INTO job(id, queue, lane, outbox, state, attempts) VALUES(4, 7, 3, 17, 2, 1);
             INSERT INTO queue(id, kind, name, failures, closed_until, halt, halt_scope,
                               token_digest, halt_since)
               VALUES(8, 1, '2', 3, 90, 'expired: make a new one', 'token', 'aa', 60),
                     (9, 1, '3', 3, 80, 'expired: make a new one', 'token', 'aa', 60),
                     (10, 1, '4', 1, 70, 'locked: appeal', 'account', 'bb', 50),
                     (11, 1, '5', 0, 0, 'no token', 'token', '', 40);
             INSERT INTO conversation(id, number, user) VALUES(3, '106540300000001', '15550100001');",
        );
        let database = Database::open(&path, Access::Serve).unwrap();
        let tx = database.tx();
        let queue = tx.queue_row(7).unwrap().unwrap();
        assert_eq!(
            (queue.name.as_str(), queue.next_us, queue.waba),
            ("106540300000001", 9, None)
        );
        assert_eq!(
            (queue.breaker.failures, queue.breaker.closed_until_ms),
            (2, 5)
        );
        let halts = tx.halts().unwrap();
        let halts: Vec<_> = halts
            .iter()
            .map(|h| (h.scope.as_str(), h.subject.as_str(), h.since, h.probe_at))
            .collect();
        assert_eq!(halts, [("number", "4", 50, 70), ("token", "aa", 60, 90)]);
        let halted = tx.queue_row(9).unwrap().unwrap();
        assert_eq!(halted.token_digest.as_deref(), Some("aa"));
        assert_eq!(halted.breaker, crate::policy::breaker::Breaker::WELL);
        let message = tx.message(17).unwrap().unwrap();
        assert_eq!(message.wamid.as_deref(), Some("w"));
        let job = tx.job_of_outbox(17).unwrap().unwrap();
        assert_eq!((job.attempts, job.media), (1, None));
        assert!(tx.fetched_media("1").unwrap().is_none());
        assert_eq!((message.uncertain, message.resent), (false, 0));
        assert_eq!(message.substitute, None);
        assert_eq!(tx.seen_of(3).unwrap(), Seen::default());
        assert_eq!(tx.hands(3).unwrap(), Hands::default());
        tx.learn_waba("106540300000001", "5").unwrap();
        let queue = tx.queue_row(7).unwrap().unwrap();
        assert_eq!(queue.waba.as_deref(), Some("5"));
    }

    #[test]
    fn what_meta_told_before_version_2_is_no_news() {
        let event = |id: u8| {
            format!(
                "INSERT INTO event VALUES({id}, x'0{id}', 3, 'account_update', '', 'k', 1, 5, '{{}}');"
            )
        };
        let path = version_1("news-1.db", &(event(1) + &event(2)));
        let database = Database::open(&path, Access::Serve).unwrap();
        let tx = database.tx();
        assert_eq!(tx.news_upto().unwrap(), 2);
        assert_eq!(tx.news_after(0, 9).unwrap().len(), 2, "the index has them");
        assert!(tx.alarms().unwrap().is_empty() && tx.next_alert().unwrap().is_none());
    }

    #[test]
    fn the_windows_of_version_1_are_unknown_until_people_write_again() {
        let path = version_1(
            "windows-1.db",
            "INSERT INTO conversation(id, number, user) VALUES(3, '1', 'a');
             INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
               VALUES(5, 'a', 0, 'messages', 'text', 'a', 3, 1, '');",
        );
        let database = Database::open(&path, Access::Serve).unwrap();
        let (tx, day) = (database.tx(), 86_400_000);
        let window = |now| tx.seen_of(3).unwrap().window(now);
        assert_eq!(window(100 * day), Window::Unknown);
        let seen = tx.seen_of(3).unwrap();
        tx.set_seen(3, seen.heard(None, false, 100 * day)).unwrap();
        assert!(matches!(window(100 * day), Window::Open { .. }));
        assert!(matches!(window(102 * day), Window::Closed { .. }));
    }

    #[test]
    fn what_version_1_had_in_its_indexes_is_found() {
        let path = version_1(
            "version-1-indexes.db",
            "INSERT INTO queue(id, kind, name) VALUES(7, 0, 'bot');
             INSERT INTO job(id, queue, lane, state, due)
               VALUES(4, 7, 3, 2, NULL), (5, 7, 3, 0, 1), (6, 7, 3, 0, NULL);
             INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
               VALUES(8, x'000102030405060708090a0b0c0d0e0f', 0, 'messages', 'text', 'k', 3, 1, '{}');",
        );
        let database = Database::open(&path, Access::Serve).unwrap();
        let tx = database.tx();
        let digest = std::array::from_fn(|byte| byte as u8);
        assert_eq!(tx.event_by_digest(&digest).unwrap().unwrap().id, 8);
        let first = tx.job(5).unwrap().unwrap();
        tx.end_job(&first, JobState::Done, None, 2).unwrap();
        let due = tx.due_jobs(7, Priority::Reply, 2, 10).unwrap();
        assert_eq!(due.iter().map(|job| job.id).collect::<Vec<_>>(), [6]);
        let pushed = tx.push_job(7, 3, None, None, Priority::Reply, 2);
        assert_eq!(pushed.unwrap(), 7);
        assert_eq!(database.damage().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_first_messages_of_version_1_are_known() {
        let path = version_1(
            "contacts-1.db",
            "INSERT INTO conversation(id, number, user, merged_into)
               VALUES(1, '1', 'a', NULL), (2, '1', 'b', 1), (3, '1', 'c', NULL), (4, '1', 'd', NULL);
             INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
               VALUES(5, 'a', 0, 'messages', 'text', 'a', 2, 1, ''),
                     (6, 'b', 1, 'messages', 'sent', 'b', 3, 1, ''),
                     (7, 'c', 0, 'messages', 'text', 'c', 3, 1, ''),
                     (8, 'd', 0, 'messages', 'text', 'd', 3, 1, ''),
                     (9, 'e', 0, 'history', 'text', 'e', 4, 1, '');",
        );
        let database = Database::open(&path, Access::Serve).unwrap();
        let first = |id| database.tx().contact(id).unwrap().first_message;
        assert_eq!(
            [first(1), first(3), first(4)],
            [Some(0), Some(7), None],
            "joined ones wrote before; a status and a history are no message to us"
        );
    }

    #[test]
    fn jobs_of_version_1_are_claimed_by_their_priority() {
        let path = version_1(
            "version-1-jobs.db",
            "INSERT INTO queue(id, kind, name) VALUES(1, 0, 'bot'), (2, 1, '106540300000001');
             INSERT INTO outbox(id, number, conversation, recipient, type, body, state,
                                created_at, changed_at)
               VALUES(1, '106540300000001', 3, 'a', 'text', '{}', 'queued', 1, 1),
                     (2, '106540300000001', 4, 'b', 'template', '{}', 'queued', 1, 1),
                     (3, '106540300000001', 4, 'b', 'text', '{}', 'queued', 1, 1),
                     (4, '106540300000001', 5, 'c', 'template', '{}', 'unknown', 1, 1),
                     (5, '106540300000001', 6, 'd', 'text', '{}', 'sending', 1, 1);
             INSERT INTO job(id, queue, lane, event, outbox, state, due, attempts)
               VALUES(1, 1, 3, 9, NULL, 0, 10, 0),
                     (2, 2, 3, NULL, 1, 0, 10, 0),
                     (3, 2, 4, NULL, 2, 0, 11, 0),
                     (4, 2, 4, NULL, 3, 0, NULL, 0),
                     (5, 2, 5, NULL, 4, 0, 90, 1),
                     (6, 2, 6, NULL, 5, 1, NULL, 1);",
        );
        let mut database = Database::open(&path, Access::Serve).unwrap();
        let due = |database: &Database, queue, priority, now| -> Vec<i64> {
            let jobs = database.tx().due_jobs(queue, priority, now, 9).unwrap();
            jobs.into_iter().map(|job| job.id).collect()
        };
        assert_eq!(due(&database, 1, Priority::Reply, 50), [1]);
        assert_eq!(due(&database, 2, Priority::Reply, 50), [2]);
        assert_eq!(due(&database, 2, Priority::Bulk, 50), [3]);
        assert_eq!(due(&database, 2, Priority::Bulk, 90), [3, 5]);
        assert_eq!(database.tx().running_jobs().unwrap().len(), 1);
        // What comes after one in its lane has its own priority.
        let end = |tx: &Tx<'_>| {
            let job = tx.job(3)?.expect("it is above");
            assert_eq!(job.burst, None);
            tx.start_job(&job)?;
            tx.end_job(&job, JobState::Done, None, 50)
        };
        database.commit(end).unwrap();
        assert_eq!(due(&database, 2, Priority::Reply, 50), [2, 4]);
    }

    #[test]
    fn what_version_1_stored_is_one_thread_a_conversation() {
        let path = version_1(
            "version-1-thread.db",
            "INSERT INTO conversation(id, number, user, merged_into)
               VALUES(1, '1', 'a', NULL), (2, '1', 'b', 1), (3, '1', 'c', 1), (4, '1', 'd', NULL);
             INSERT INTO event(id, digest, kind, field, type, key, conversation, received_at, body)
               VALUES(1, x'01', 0, 'messages', 'text', 'k', 1, 10, '{}'),
                     (2, x'02', 1, 'messages', 'sent', 'k', 1, 11, '{}'),
                     (3, x'03', 0, 'messages', 'text', 'k', 2, 12, '{}'),
                     (4, x'04', 0, 'messages', 'text', 'k', 3, 13, '{}'),
                     (5, x'05', 2, 'calls', 'connect', 'k', 1, 14, '{}');
             INSERT INTO outbox(id, number, conversation, recipient, type, body, state, created_at,
                                changed_at)
               VALUES(6, '1', 1, 'a', 'text', '{}', 'sent', 15, 15),
                     (7, '1', 1, 'a', 'read', '{}', 'sent', 16, 16),
                     (8, '1', 1, 'a', 'text', '{}', 'sent', 17, 17);",
        );
        let database = Database::open(&path, Access::Serve).unwrap();
        let tx = database.tx();
        let ends = |id| {
            let ends = tx.thread_ends(id).unwrap().unwrap();
            (
                ends.last_event,
                ends.last_message,
                ends.joined,
                ends.next_joined,
            )
        };
        assert_eq!(ends(1), (Some(5), Some(8), Some(3), None));
        assert_eq!(ends(2), (Some(3), None, None, None));
        assert_eq!(ends(3), (Some(4), None, None, Some(2)));
        assert_eq!(ends(4), (None, None, None, None));
        assert_eq!(tx.event_in_thread(5).unwrap().unwrap().1, Some(1));
        assert_eq!(tx.event_in_thread(2).unwrap().unwrap().1, None);
        assert_eq!(tx.message_in_thread(8).unwrap().unwrap().1, Some(6));
        assert_eq!(tx.names_learned().unwrap(), 0, "names are learned from it");
    }

    #[test]
    fn only_one_service_a_file_and_visitors_beside_it() {
        let path = file("one.db");
        let first = Database::open(&path, Access::Serve).unwrap();
        assert!(matches!(
            Database::open(&path, Access::Serve).err(),
            Some(StoreError::InUse { .. })
        ));
        Database::open(&path, Access::Visit).unwrap();
        drop(first);
        Database::open(&path, Access::Serve).unwrap();
    }

    #[test]
    fn only_its_owner_reads_the_file_and_its_log() {
        use std::os::unix::fs::PermissionsExt;
        let path = file("private.db");
        let _open = Database::open(&path, Access::Serve).unwrap();
        for beside in ["", "-wal"] {
            let name = format!("{}{beside}", path.display());
            let mode = std::fs::metadata(&name).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_missing_folder_is_said_plainly() {
        let error = Database::open(Path::new("/nonexistent/x.db"), Access::Serve);
        assert!(
            error
                .err()
                .unwrap()
                .to_string()
                .contains("check that its folder exists")
        );
    }

    #[test]
    fn commits_survive_power_failure_settings() {
        let database = Database::open(&file("pragmas.db"), Access::Visit).unwrap();
        let pragma = |name| -> String {
            let read = |row: &rusqlite::Row| row.get::<_, rusqlite::types::Value>(0);
            match database
                .connection
                .pragma_query_value(None, name, read)
                .unwrap()
            {
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "Integer(2)");
    }
}
