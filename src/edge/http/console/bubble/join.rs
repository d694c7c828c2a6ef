//! What the bubbles of one page do to each other: reactions, quotes, changes.

use super::{About, Bubble, Later, Reaction};

/// Puts reactions on what they are about, marks what was changed or deleted, and
/// finds what is answered, among bubbles in order, the oldest first. A reaction
/// whose message is not among them stays a bubble of its own.
pub fn join(bubbles: Vec<Bubble>) -> Vec<Bubble> {
    let mut joined: Vec<Bubble> = Vec::with_capacity(bubbles.len());
    for mut bubble in bubbles {
        let about = bubble.about.clone();
        let at = |joined: &[Bubble], wamid: &str| {
            let mut known = joined.iter();
            known.position(|other| other.wamid.as_deref() == Some(wamid))
        };
        match about {
            // What did not go out is a message to be looked at, and no reaction.
            Some(About::Reaction { wamid, emoji }) if !bubble.is_bad() => {
                let Some(index) = at(&joined, &wamid) else {
                    joined.push(bubble);
                    continue;
                };
                let on = &mut joined[index].reactions;
                on.retain(|own| !own.side.is_one_with(bubble.side) || own.author != bubble.author);
                on.extend(emoji.map(|emoji| Reaction {
                    emoji,
                    side: bubble.side,
                    author: bubble.author.clone(),
                }));
                continue;
            }
            Some(About::Quote { wamid } | About::Edit { wamid }) => {
                let index = at(&joined, &wamid);
                if let Some(index) = index {
                    if matches!(bubble.about, Some(About::Edit { .. })) {
                        joined[index].later = Some(Later::Edited);
                    }
                    bubble.quote = Some(joined[index].quoted_here());
                }
            }
            Some(About::Revoke { wamid }) => {
                if let Some(index) = at(&joined, &wamid) {
                    joined[index].later = Some(Later::Deleted);
                }
            }
            _ => {}
        }
        joined.push(bubble);
    }
    joined
}
