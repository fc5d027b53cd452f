//! Filters by chance. With a seed they choose what Python chooses.

use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::globals::Range;
use super::super::text;
use super::super::val::Val;
use super::Filter;
use sha2::{Digest, Sha512};

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "random",
        &["end", "start", "step", "seed"],
        "A random item, or a random number below one.",
        random,
    ),
    Filter::new(
        "shuffle",
        &["items", "seed"],
        "The items in random order.",
        shuffle,
    ),
    Filter::new(
        "random_mac",
        &["prefix", "seed"],
        "A MAC address that begins with a prefix.",
        random_mac,
    )
    .of("community.general"),
];

const SIZE: usize = 624;

/// Python's random numbers: the Mersenne Twister.
#[derive(Debug)]
pub(in super::super) struct Twister {
    state: [u32; SIZE],
    at: usize,
}

impl Twister {
    /// Seeded by `seed` as Python seeds it, or by chance.
    pub fn new(ctx: &Ctx, seed: Option<&Val>) -> Res<Self> {
        let key = match seed {
            // Enough that nobody can try all of them: passwords come of it.
            None => (0..8)
                .map(|_| ctx.outside().random())
                .flat_map(|r| [r as u32, (r >> 32) as u32])
                .collect(),
            Some(value) => match value.usable()? {
                Val::Int(i) => words(&i.unsigned_abs().to_be_bytes()),
                other => {
                    let text = text::to_text(ctx, other)?;
                    let mut bytes = text.into_bytes();
                    let digest = Sha512::digest(&bytes);
                    bytes.extend_from_slice(&digest);
                    words(&bytes)
                }
            },
        };
        Ok(Self::from_key(&key))
    }

    fn from_key(key: &[u32]) -> Self {
        let mut mt = [0_u32; SIZE];
        mt[0] = 19_650_218;
        for i in 1..SIZE {
            let last = mt[i - 1];
            mt[i] = 1_812_433_253_u32
                .wrapping_mul(last ^ last >> 30)
                .wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            let last = mt[i - 1];
            mt[i] = (mt[i] ^ (last ^ last >> 30).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i == SIZE {
                mt[0] = mt[SIZE - 1];
                i = 1;
            }
        }
        for _ in 1..SIZE {
            let last = mt[i - 1];
            mt[i] =
                (mt[i] ^ (last ^ last >> 30).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i == SIZE {
                mt[0] = mt[SIZE - 1];
                i = 1;
            }
        }
        mt[0] = 0x8000_0000;
        Self {
            state: mt,
            at: SIZE,
        }
    }

    fn next(&mut self) -> u32 {
        if self.at == SIZE {
            for i in 0..SIZE {
                let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % SIZE] & 0x7fff_ffff;
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % SIZE] ^ y >> 1 ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    fn bits(&mut self, mut count: u32) -> u128 {
        let mut out = 0_u128;
        let mut shift = 0;
        while count > 0 {
            let take = count.min(32);
            out |= u128::from(self.next() >> (32 - take)) << shift;
            shift += 32;
            count -= take;
        }
        out
    }

    /// A number below `n`, which is above zero.
    pub fn below(&mut self, n: u128) -> u128 {
        let width = 128 - n.leading_zeros();
        loop {
            let number = self.bits(width);
            if number < n {
                return number;
            }
        }
    }

    /// As Python's `shuffle`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u128 + 1) as usize;
            items.swap(i, j);
        }
    }
}

/// A large number's words of 32 bits, the lowest first.
fn words(big_endian: &[u8]) -> Vec<u32> {
    let mut out: Vec<u32> = big_endian
        .rchunks(4)
        .map(|chunk| chunk.iter().fold(0, |word, b| word << 8 | u32::from(*b)))
        .collect();
    while out.len() > 1 && out.last() == Some(&0) {
        out.pop();
    }
    out
}

fn random(c: &Call) -> Res<Val> {
    let end = c.need(0)?.usable()?;
    let mut twister = Twister::new(c.ctx, c.given(3))?;
    if let Some(end) = end.as_int() {
        let start = c.int_or(1, 0)?;
        let step = c.int_or(2, 1)?;
        if step == 0 {
            return Err(Fault::error("zero step for randrange()"));
        }
        let range = Range {
            start,
            stop: end,
            step,
        };
        let len = u128::try_from(range.len()).unwrap_or(0);
        if len == 0 {
            return Err(Fault::error("empty range for randrange()"));
        }
        return Ok(Val::Int(range.nth(twister.below(len) as i128)));
    }
    if !matches!(
        end,
        Val::Str(_) | Val::Map(_) | Val::List(_) | Val::Tuple(_) | Val::Object(_)
    ) {
        return Err(Fault::error(
            "random can only be used on sequences and integers",
        ));
    }
    if c.given(1).is_some() || c.given(2).is_some() {
        return Err(Fault::error(
            "start and step can only be used with integer values",
        ));
    }
    if let Some(range) = end.downcast::<Range>() {
        let len = u128::try_from(range.len()).unwrap_or(0).max(1);
        return Ok(Val::Int(range.nth(twister.below(len) as i128)));
    }
    let items = c.items(0)?;
    if items.is_empty() {
        return Err(Fault::error("cannot choose from an empty sequence"));
    }
    Ok(items[twister.below(items.len() as u128) as usize].clone())
}

fn shuffle(c: &Call) -> Res<Val> {
    // What has no order is given back as it is.
    if !matches!(
        c.need(0)?.usable()?,
        Val::Str(_) | Val::Map(_) | Val::List(_) | Val::Tuple(_) | Val::Object(_)
    ) {
        return c.need(0).cloned();
    }
    let mut items = c.items(0)?;
    Twister::new(c.ctx, c.given(1))?.shuffle(&mut items);
    Ok(Val::list(items))
}

fn random_mac(c: &Call) -> Res<Val> {
    let prefix = c.text(0)?.to_lowercase();
    let mut parts: Vec<String> = prefix.split(':').map(str::to_owned).collect();
    if parts.len() > 5
        || parts
            .iter()
            .any(|p| p.len() != 2 || u8::from_str_radix(p, 16).is_err())
    {
        return Err(Fault::error(format!(
            "Invalid value ({prefix}) for random_mac"
        )));
    }
    // Forty bits of which the first four are not all zero; their first digits fill the address up.
    let (least, most) = (0x10_0000_0000, 0xff_ffff_ffff_u128);
    let mut twister = Twister::new(c.ctx, c.given(1))?;
    let digits = format!("{:x}", least + twister.below(most - least + 1));
    let more = digits.as_bytes().as_chunks::<2>().0.iter();
    let more = more.map(|pair| pair.iter().copied().map(char::from).collect::<String>());
    parts.extend(more.take(6 - parts.len()));
    Ok(Val::from(parts.join(":")))
}
