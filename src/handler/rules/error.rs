//! Why there are no rules: what is wrong with the file, each mistake with its mend.

use super::FILE_BYTES_MAX;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// One mistake in a rules file: where and what it is, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// The rule, counted from 1; none for a mistake outside of rules.
    pub rule: Option<usize>,
    /// In words.
    pub text: String,
}

/// Why there are no rules. Its text has a line for each mistake.
#[derive(Debug)]
pub enum RulesError {
    /// The file is not there, or we may not read it.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is longer than 1 MiB.
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not what a rules file should be.
    Wrong {
        /// The file.
        path: PathBuf,
        /// Every mistake found.
        problems: Vec<Problem>,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(rule) = self.rule {
            write!(f, "rule {rule}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulesError::Unreadable { path, .. } => {
                write!(f, "the rules file {} cannot be read", path.display())
            }
            RulesError::TooLong { path } => {
                let mib = FILE_BYTES_MAX / 1024 / 1024;
                write!(
                    f,
                    "{} is longer than {mib} MiB: that is no rules file",
                    path.display()
                )
            }
            RulesError::Wrong { path, problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    let end = if index == 0 { "" } else { "\n" };
                    write!(f, "{end}{} {problem}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for RulesError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RulesError::Unreadable { error, .. } => Some(error),
            RulesError::TooLong { .. } | RulesError::Wrong { .. } => None,
        }
    }
}
