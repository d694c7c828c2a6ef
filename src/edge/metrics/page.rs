//! The page that Prometheus reads: all names and what they mean, in OpenMetrics text.
//!
//! Names follow Prometheus's conventions: base units, `_total` for what only grows, times as
//! Unix time and not as an age, and the usual names for what is known of any process.

use super::figures::{Figures, Files};
use super::process::Process;
use super::{CallFor, Histogram, Metrics, Receipt};
use crate::gateway::operator::QueueStatus;
use crate::policy::ladder::SendState;
use crate::wire::notification::Kind;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What the page is, for the header of its answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that is on the page.
pub struct Page {
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// What the store knows; `None` when it cannot be read.
    pub figures: Option<Arc<Figures>>,
    /// Its files.
    pub files: Files,
    /// The process.
    pub process: Process,
}

impl Page {
    /// The text.
    ///
    /// # Errors
    /// None: it is written into memory.
    pub fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.webhook(&mut writer)?;
        self.logic(&mut writer)?;
        self.graph(&mut writer)?;
        self.store(&mut writer)?;
        self.queues(&mut writer)?;
        self.process(&mut writer)
    }
}

impl Page {
    fn webhook(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let receipts = Receipt::ALL.iter().zip(&metrics.receipts);
        writer.counters(
            "wabridge_notifications",
            "Requests to the webhook, by what came of them",
            receipts.map(|(receipt, n)| ([("outcome", receipt.as_str())], n.get())),
        )?;
        writer.histograms(
            ("wabridge_acknowledge_duration", Some(Unit::Seconds)),
            "From when a notification begins to be read until it is stored and its 200 goes out",
            [([], &metrics.acknowledged)],
        )?;
        let events = Kind::ALL.iter().zip(&metrics.events);
        writer.counters(
            "wabridge_events",
            "New events that were stored",
            events.map(|(kind, n)| ([("kind", kind.as_str())], n.get())),
        )?;
        writer.counters(
            "wabridge_duplicate_events",
            "Events that Meta delivered again, and that were known",
            [([], metrics.duplicates.get())],
        )
    }

    fn logic(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let handled = self.metrics.handled.all();
        writer.histograms(
            ("wabridge_handle_duration", Some(Unit::Seconds)),
            "How long your logic and observers took for one event, by what came of it: done, retry or dead",
            handled.iter().map(|((consumer, outcome), histogram)| {
                ([("consumer", consumer.as_str()), ("outcome", *outcome)], &**histogram)
            }),
        )
    }

    fn graph(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let called = metrics.called.all();
        let called = called.iter().map(|((call, outcome), histogram)| {
            let call: &CallFor = call;
            (
                [("call", call.as_str()), ("outcome", *outcome)],
                &**histogram,
            )
        });
        writer.histograms(
            ("wabridge_graph_call_duration", Some(Unit::Seconds)),
            "How long calls to Graph took: of sends by what the answer meant, of others by the HTTP status",
            called,
        )?;
        let verdicts = metrics.verdicts.all();
        let verdicts: Vec<_> = verdicts
            .iter()
            .map(|((number, verdict, code), n)| {
                let code = code.map_or(String::new(), |code| code.to_string());
                (number.as_str(), *verdict, code, n.get())
            })
            .collect();
        writer.counters(
            "wabridge_verdicts",
            "What Graph's answers to messages meant, by number and Meta's code",
            verdicts.iter().map(|(number, verdict, code, n)| {
                let labels = [
                    ("number", *number),
                    ("verdict", *verdict),
                    ("code", code.as_str()),
                ];
                (labels, *n)
            }),
        )?;
        let fetched = metrics.fetched.all();
        writer.counters(
            "wabridge_fetches",
            "Attempts to fetch a customer's file",
            fetched
                .iter()
                .map(|(outcome, n)| ([("outcome", *outcome)], n.get())),
        )?;
        let messages = SendState::ALL.iter().zip(&metrics.messages);
        writer.counters(
            "wabridge_messages",
            "Messages that came into a state",
            messages.map(|(state, n)| ([("state", state.as_str())], n.get())),
        )
    }

    fn store(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (metrics, files) = (&self.metrics, &self.files);
        writer.histograms(
            ("wabridge_commit_sync_duration", Some(Unit::Seconds)),
            "How long the disk took for a commit",
            [([], &metrics.synced)],
        )?;
        writer.histograms(
            ("wabridge_commit_steps", None),
            "Steps that shared a commit",
            [([], &metrics.batches)],
        )?;
        writer.counters(
            "wabridge_failed_commits",
            "Commits that failed: a full or broken disk, or a bug",
            [([], metrics.commits_failed.get())],
        )?;
        let bytes = Some(Unit::Bytes);
        writer.gauge(
            ("wabridge_database", bytes.clone()),
            "The database file",
            files.database_bytes,
        )?;
        writer.gauge(
            ("wabridge_database_log", bytes.clone()),
            "What is committed and not yet written back into the database file",
            files.log_bytes,
        )?;
        writer.gauge(
            ("wabridge_disk", bytes.clone()),
            "The disk that holds the database",
            files.disk_bytes,
        )?;
        writer.gauge(
            ("wabridge_disk_free", bytes),
            "Room on the disk that holds the database",
            files.free_bytes,
        )?;
        writer.gauge(
            ("wabridge_store_readable", None),
            "1 when what waits could be looked up",
            [i64::from(self.figures.is_some())],
        )
    }

    fn queues(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let figures = self.figures.as_deref();
        let queues = || figures.map_or(&[][..], |figures| figures.queues.as_slice());
        let mut each = |name, unit, help, value: &dyn Fn(&QueueStatus) -> Option<f64>| {
            let values = queues().iter().filter_map(|status| {
                let labels = [
                    ("queue", status.queue.kind.as_str()),
                    ("name", status.queue.name.as_str()),
                ];
                Some((labels, value(status)?))
            });
            writer.gauges((name, unit), help, values)
        };
        each(
            "wabridge_queue_jobs",
            None,
            "Jobs that are not done: deliveries to a consumer, messages from a number, files to fetch",
            &|status| Some(status.open as f64),
        )?;
        each(
            "wabridge_queue_lanes",
            None,
            "Conversations that wait for their next job",
            &|status| Some(status.lanes as f64),
        )?;
        each(
            "wabridge_queue_running_jobs",
            None,
            "Jobs that are under way",
            &|status| Some(status.running as f64),
        )?;
        each(
            "wabridge_queue_oldest_timestamp",
            Some(Unit::Seconds),
            "When what waits longest came",
            &|status| Some(status.oldest? as f64 / 1_000.0),
        )?;
        each(
            "wabridge_queue_dead_letters",
            None,
            "Jobs that were given up and wait for an operator",
            &|status| Some(status.dead as f64),
        )?;
        each(
            "wabridge_queue_down",
            None,
            "1 while the other side does not answer, and is only probed",
            &|status| Some(f64::from(status.queue.breaker.probing())),
        )?;
        each(
            "wabridge_queue_halted",
            None,
            "1 while sending stands still until a person acts",
            &|status| Some(f64::from(figures?.is_halted(status))),
        )?;
        let halts = figures.map_or_else(BTreeMap::new, halts);
        writer.gauges(
            ("wabridge_halts", None),
            "What stands still until a person acts, by Meta's code",
            halts
                .iter()
                .map(|((scope, code), n)| ([("scope", *scope), ("code", code.as_str())], *n)),
        )?;
        let waiting = figures.map_or(&[][..], |figures| figures.waiting.as_slice());
        writer.gauges(
            ("wabridge_waiting_messages", None),
            "Messages that are not through, by state",
            waiting
                .iter()
                .map(|(state, n)| ([("state", state.as_str())], *n)),
        )?;
        writer.gauge(
            ("wabridge_taken_conversations", None),
            "Conversations that a person took over from the bot",
            figures.map(|figures| figures.taken),
        )
    }

    fn process(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let (process, bytes, seconds) = (&self.process, Unit::Bytes, Unit::Seconds);
        let started_at = self.metrics.started_at_ms as f64 / 1_000.0;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        writer.gauges(
            ("wabridge_build_info", None),
            "This version",
            [(version, 1_i64)],
        )?;
        writer.describe(
            ("process_cpu", Some(&seconds)),
            "Time on a processor",
            |mut metric| match process.cpu_seconds {
                Some(spent) => metric.encode_counter::<NoLabelSet, _, f64>(&spent, None),
                None => Ok(()),
            },
            MetricType::Counter,
        )?;
        writer.gauge(
            ("process_start_time", Some(seconds)),
            "When the process began",
            [started_at],
        )?;
        writer.gauge(
            ("process_resident_memory", Some(bytes.clone())),
            "Memory in use",
            process.resident_bytes,
        )?;
        writer.gauge(
            ("process_virtual_memory", Some(bytes)),
            "Memory that is mapped",
            process.virtual_bytes,
        )?;
        writer.gauge(("process_threads", None), "Threads", process.threads)?;
        writer.gauge(
            ("process_open_fds", None),
            "Open files and connections",
            process.open_fds,
        )?;
        writer.gauge(
            ("process_max_fds", None),
            "How many there may be",
            process.max_fds,
        )
    }
}

/// How many halts there are of each scope and code.
fn halts(figures: &Figures) -> BTreeMap<(&'static str, String), i64> {
    let mut counted = BTreeMap::new();
    for halt in &figures.halts {
        let code = halt.code.map_or(String::new(), |code| code.to_string());
        *counted.entry((halt.scope.as_str(), code)).or_default() += 1;
    }
    counted
}

/// Writes families, each with its description first.
struct Writer<'w>(DescriptorEncoder<'w>);

/// A name without its unit, and the unit.
type Named = (&'static str, Option<Unit>);

/// Labels of one sample: the same names throughout a family.
type Labels<'l, const N: usize> = [(&'static str, &'l str); N];

impl Writer<'_> {
    fn describe(
        &mut self,
        (name, unit): (&str, Option<&Unit>),
        help: &str,
        write: impl FnOnce(prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result,
        kind: MetricType,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, unit, kind)?)
    }

    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, u64)>,
    ) -> fmt::Result {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in samples {
            match N {
                0 => family.encode_counter::<NoLabelSet, _, f64>(&count, None)?,
                _ => family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, f64>(&count, None)?,
            }
        }
        Ok(())
    }

    fn gauges<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        (name, unit): Named,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        let unit = unit.as_ref();
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in samples {
            match N {
                0 => family.encode_gauge(&value)?,
                _ => family.encode_family(&labels)?.encode_gauge(&value)?,
            }
        }
        Ok(())
    }

    /// One without labels, if its value is known.
    fn gauge<V: EncodeGaugeValue>(
        &mut self,
        name: Named,
        help: &str,
        value: impl IntoIterator<Item = V>,
    ) -> fmt::Result {
        self.gauges(name, help, value.into_iter().map(|value| ([], value)))
    }

    fn histograms<'l, const N: usize>(
        &mut self,
        (name, unit): Named,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, &'l Histogram)>,
    ) -> fmt::Result {
        let unit = unit.as_ref();
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (labels, histogram) in samples {
            let held = histogram.snapshot();
            let (sum, count, buckets) = (held.sum, held.count, &held.buckets);
            match N {
                0 => family.encode_histogram::<NoLabelSet>(sum, count, buckets, None)?,
                _ => family
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(sum, count, buckets, None)?,
            }
        }
        Ok(())
    }
}
