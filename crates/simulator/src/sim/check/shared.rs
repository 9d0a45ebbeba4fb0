//! No share is given twice: what dispatches have their members do never exceeds a shared limit.

use fleet::dispatch::LinearLimit;
use units::Watts;

use super::Verdict;

/// The rounding of shares and limits.
const TOLERANCE: Watts = Watts::whole(2);

/// Judges a limit by what its DER are truly asked by dispatches: `asked` gives it for a term of the
/// limit, zero for one that follows none.
pub fn check(limit: &LinearLimit, asked: impl Fn(fleet::DerId) -> Watts) -> Verdict {
    let loads = limit.terms.iter();
    let loads = loads.map(|(der, coefficient)| coefficient * asked(*der).as_f64());
    let load = Watts::from_f64(loads.sum());
    if load <= limit.max + TOLERANCE {
        return Ok(());
    }
    let (name, max) = (&limit.name, limit.max);
    let shares = limit.terms.iter().map(|(der, _)| (der, asked(*der)));
    let shares = shares.filter(|(_, p)| *p != Watts::ZERO);
    let shares: Vec<String> = shares.map(|(der, p)| format!("d{} {p}", der.0)).collect();
    let shares = shares.join(", ");
    Err(format!(
        "{name}: its DER follow shares of {load}, at most {max} are to be given: {shares}"
    ))
}
