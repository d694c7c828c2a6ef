//! Real programs, mostly one line of a shell: what their exit codes, output and
//! refusal to end come to.

use super::*;
use std::time::Duration;

#[test]
fn exit_codes_mean_done_again_or_never() {
    let cases = [
        ("exit 0", "done, 1 reply"),
        (
            "exit 75",
            "again, all wait: the command asks for it again (exit code 75): é, why",
        ),
        (
            "exit 1",
            "never: the command failed with exit code 1: é, why",
        ),
        (
            "exit 74",
            "never: the command failed with exit code 74: é, why",
        ),
        (
            "exit 76",
            "never: the command failed with exit code 76: é, why",
        ),
        (
            "exit 127",
            "never: the command failed with exit code 127: é, why",
        ),
        (
            "exit 255",
            "never: the command failed with exit code 255: é, why",
        ),
        (
            "kill -SEGV $$",
            "again: the command was ended by signal 11: é, why",
        ),
        (
            "kill -KILL $$",
            "again: the command was ended by signal 9: é, why",
        ),
    ];
    for (end, expected) in cases {
        let script = format!(
            r#"echo '{{"messages":[{{"text":{{"body":"hi"}}}}]}}'; echo 'é, why' >&2; {end}"#
        );
        let words = match outcome(&run(&script, b"", LONG, 1_000)) {
            Outcome::Done { replies, .. } => format!("done, {} reply", replies.len()),
            Outcome::Retry { reason, down, .. } => {
                let others = if down { ", all wait" } else { "" };
                format!("again{others}: {}", reason.in_full())
            }
            Outcome::Dead { reason } => format!("never: {}", reason.in_full()),
        };
        assert_eq!(words, expected, "{end}");
    }
}

#[test]
fn of_what_it_said_the_end_is_kept() {
    let traceback = format!("{}\nValueError: no such order\n", "é".repeat(3_000));
    let kept = last_words(traceback.as_bytes());
    assert_eq!(kept.chars().count(), DETAILS_CHARS_MAX);
    assert!(kept.ends_with("é\nValueError: no such order"));
    assert_eq!(last_words(b" \xff \n"), "\u{fffd}");
    assert_eq!(last_words(b""), "");
}

/// A script run within these limits.
fn run(script: &str, input: &[u8], time_ms: u64, answer_bytes: usize) -> Ran {
    let limits = Limits {
        time: Duration::from_millis(time_ms),
        answer_bytes,
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    process::run(&mut command, input, &limits, &AtomicBool::new(false)).unwrap()
}

/// Longer than any of these scripts takes.
const LONG: u64 = 60_000;

#[test]
fn input_and_output_of_any_size_go_through_at_once_or_not_at_all() {
    let megabytes = vec![b'x'; 3 << 20];
    let cases: [(&str, usize); 8] = [
        // A program that answers while it reads.
        ("cat", 3 << 20),
        ("cat >/dev/null; echo", 1),
        // One that reads nothing, or stops.
        ("echo", 1),
        ("exec <&-; echo", 1),
        ("head -c 100000", 100_000),
        // That says first what it has to say.
        ("head -c 300000 /dev/zero; cat >/dev/null", 300_000),
        ("head -c 300000 /dev/zero >&2; cat >/dev/null", 0),
        // That closes its output long before its end.
        ("exec >&- 2>&-; cat >/dev/null; sleep 0.1", 0),
    ];
    for (script, length) in cases {
        let ran = run(script, &megabytes, LONG, 4 << 20);
        assert!(is_done(ran.end), "{script}: {:?}", ran.end);
        assert_eq!(ran.answer.len(), length, "{script}");
    }
}

#[test]
fn too_long_an_answer_ends_it_and_is_not_kept() {
    for script in ["cat /dev/zero", "head -c 1001 /dev/zero"] {
        let ran = run(script, b"", LONG, 1_000);
        assert_eq!(ran.end, End::WroteTooMuch, "{script}");
        assert!(ran.answer.len() < 1 << 20, "{}", ran.answer.len());
    }
    let ran = run("head -c 1000 /dev/zero", b"", LONG, 1_000);
    assert!(is_done(ran.end));
    assert_eq!(ran.answer.len(), 1_000);
}

#[test]
fn the_end_of_standard_error_is_kept_however_much_there_is() {
    let ran = run(
        "yes x | head -c 200000 >&2; printf 'the reason' >&2",
        b"",
        LONG,
        10,
    );
    assert!(is_done(ran.end));
    assert!(ran.said.len() <= 4 << 10);
    assert!(ran.said.ends_with(b"x\nthe reason"));
}

#[test]
fn an_end_by_time_may_be_used_for_a_last_word() {
    let script = "trap 'echo ended; exit 0' TERM; echo begun; while :; do sleep 0.1; done";
    // A busy machine may not let it speak in time; once it does.
    let spoke = (0..5).any(|_| {
        let ran = run(script, b"", 1_500, 100);
        assert_eq!(ran.end, End::TookTooLong);
        ran.answer == b"begun\nended\n"
    });
    assert!(spoke);
}

#[test]
fn whoever_does_not_hear_of_the_end_is_killed_with_all_that_belong_to_it() {
    let cases = [
        "trap '' TERM; (trap '' TERM; echo $$; sleep 600) & wait; sleep 600",
        // The first ends in order, the others do not.
        "(trap '' TERM; sleep 600) & (trap '' TERM; sleep 600) & wait",
        // One that goes on when the first has ended by itself.
        "sleep 600 >&2 & exit 0",
    ];
    for script in cases {
        let ran = run(&format!("echo $$; {script}"), b"", 3_000, 1_000);
        let answer = String::from_utf8(ran.answer).unwrap();
        let group: i32 = answer.lines().next().unwrap().parse().unwrap();
        let group = rustix::process::Pid::from_raw(group).unwrap();
        let begun = std::time::Instant::now();
        while rustix::process::test_kill_process_group(group).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{script}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_program_that_left_its_group_holds_nothing_up() {
    let script = "setsid sh -c 'while :; do echo x >&2; done' & echo $!; exit 0";
    let ran = run(script, b"", LONG, 1_000);
    let left: i32 = String::from_utf8(ran.answer)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    // Or it was ended before it had left.
    let left = rustix::process::Pid::from_raw(left).unwrap();
    let _ = rustix::process::kill_process(left, rustix::process::Signal::KILL);
    assert!(is_done(ran.end));
}

#[test]
fn a_stop_ends_it() {
    let limits = Limits {
        time: Duration::from_secs(600),
        answer_bytes: 10,
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "sleep 600"]);
    let ran = process::run(&mut command, b"", &limits, &AtomicBool::new(true)).unwrap();
    assert_eq!(ran.end, End::Stopped);
}

fn settings(program: &str) -> config::Command {
    config::Command {
        program: program.into(),
        arguments: Vec::new(),
        path: "/nowhere:/usr/bin:/bin".into(),
        environment: Vec::new(),
        timeout: Duration::from_secs(1),
        kinds: Kind::ALL.into(),
    }
}

#[test]
fn a_program_is_looked_for_at_the_start() {
    let cases = [
        ("sh", ""),
        ("/bin/sh", ""),
        (
            "no-such-program",
            "in /nowhere:/usr/bin:/bin: write its path",
        ),
        ("/no/such", "there is no /no/such"),
        ("/etc", "there is no /etc"),
        ("/etc/passwd", "chmod a+rx /etc/passwd"),
    ];
    for (program, mend) in cases {
        match CommandHandler::new(&settings(program)) {
            Ok(_) => assert_eq!(mend, "", "{program}"),
            Err(error) => assert!(
                error.to_string().contains(mend) && !mend.is_empty(),
                "{error}"
            ),
        }
    }
}
