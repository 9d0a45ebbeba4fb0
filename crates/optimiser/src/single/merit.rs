//! Merit order.

use super::{NoShares, Ranges, Shares, all_finite, settle};

/// Least `Σ c_i p_i`.
///
/// The cheapest units are at their upper bound, the dearest at their lower one,
/// those whose cost is the clearing price share what is left in proportion to their range. The
/// multiplier is that price. With what each unit has given so far as its cost, those used least are
/// used first.
///
/// The clearing price is found by weighted quick-select: linear on average, no sort.
///
/// # Errors
///
/// When a number is outside its range or the demand out of reach.
pub fn merit_order(
    demand_w: f64,
    ranges: Ranges<'_>,
    cost_per_wh: &[f64],
) -> Result<Shares, NoShares> {
    let (least, _) = ranges.check(demand_w, &[cost_per_wh])?;
    all_finite(cost_per_wh)?;
    let mut wanted = (demand_w - least).max(0.0);
    let mut open: Vec<(f64, f64)> = cost_per_wh
        .iter()
        .zip(ranges.lo_w.iter().zip(ranges.hi_w))
        .map(|(cost, (lo, hi))| (*cost, hi - lo))
        .collect();
    let price = clearing_price(&mut open, &mut wanted);
    let marginal: f64 = marginal_room(ranges, cost_per_wh, price);
    let share = if marginal == 0.0 {
        0.0
    } else {
        (wanted / marginal).min(1.0)
    };
    let mut sum = 0.0;
    let mut p_w: Vec<f64> = (0..ranges.units())
        .map(|i| {
            let (lo, hi) = (ranges.lo_w[i], ranges.hi_w[i]);
            let p = match cost_per_wh[i].total_cmp(&price) {
                std::cmp::Ordering::Less => hi,
                std::cmp::Ordering::Equal => lo + share * (hi - lo),
                std::cmp::Ordering::Greater => lo,
            };
            sum += p;
            p
        })
        .collect();
    if 0.0 < share && share < 1.0 {
        settle_marginal(ranges, cost_per_wh, price, demand_w - sum, &mut p_w);
    } else {
        settle(ranges, demand_w, &mut p_w, sum);
    }
    Ok(Shares {
        p_w,
        multiplier: price,
    })
}

/// The cost at which ranges, cheapest first, add up to what is wanted; `wanted` becomes what is
/// left for those that cost just that.
fn clearing_price(open: &mut [(f64, f64)], wanted: &mut f64) -> f64 {
    let mut rest = open;
    let mut dearest = f64::NEG_INFINITY;
    while !rest.is_empty() {
        let pivot = pivot(rest);
        let cheaper = partition(rest, |cost| cost < pivot);
        let (below, others) = rest.split_at_mut(cheaper);
        let equal = partition(others, |cost| cost <= pivot);
        let room_below: f64 = below.iter().map(|(_, room)| room).sum();
        let room_equal: f64 = others[..equal].iter().map(|(_, room)| room).sum();
        if *wanted < room_below {
            rest = below;
        } else if *wanted <= room_below + room_equal {
            *wanted -= room_below;
            return pivot;
        } else {
            *wanted -= room_below + room_equal;
            dearest = dearest.max(pivot);
            rest = &mut others[equal..];
        }
    }
    // Rounding only: all ranges are used up.
    *wanted = f64::INFINITY;
    dearest
}

/// The median of nine entries spread over the slice, which is deterministic.
fn pivot(rest: &[(f64, f64)]) -> f64 {
    let mut sample: [f64; 9] = std::array::from_fn(|k| rest[k * (rest.len() - 1) / 8].0);
    sample.sort_by(f64::total_cmp);
    sample[4]
}

/// Moves entries whose cost fulfils the condition to the front; gives how many there are.
fn partition(entries: &mut [(f64, f64)], is_front: impl Fn(f64) -> bool) -> usize {
    let mut front = 0;
    for i in 0..entries.len() {
        let is_moved = is_front(entries[i].0);
        entries.swap(front, i);
        front += usize::from(is_moved);
    }
    front
}

fn marginal_room(ranges: Ranges<'_>, cost_per_wh: &[f64], price: f64) -> f64 {
    let bounds = ranges.lo_w.iter().zip(ranges.hi_w).zip(cost_per_wh);
    let marginal = bounds.filter(|(_, cost)| cost.total_cmp(&price).is_eq());
    marginal.map(|((lo, hi), _)| hi - lo).sum()
}

/// Lets marginal units alone take what rounding left, so that prices still hold.
fn settle_marginal(
    ranges: Ranges<'_>,
    cost_per_wh: &[f64],
    price: f64,
    mut missing: f64,
    p_w: &mut [f64],
) {
    for (i, p) in p_w.iter_mut().enumerate() {
        if missing == 0.0 {
            break;
        }
        if cost_per_wh[i].total_cmp(&price).is_eq() {
            let settled = (*p + missing).clamp(ranges.lo_w[i], ranges.hi_w[i]);
            missing -= settled - *p;
            *p = settled;
        }
    }
}
