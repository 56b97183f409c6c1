//! The kernels by name, and the structure that each is given.
//!
//! The structures are those of `kernels/arguments.h`, field for field. An [`Address`] is one of memory of the device
//! that runs the kernel; what may be absent is [`Address::NONE`]. Arrays are row-major. `real` is bf16 or f32, by
//! [`Kind`]; the residual stream, sums and logits are in f32 in both.

use crate::host;

/// What weights and activations are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// bf16, with sums in f32.
    Bf16,
    /// f32, for checks.
    F32,
}

impl Kind {
    /// What the names of kernels of this kind end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
        }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }
}

/// Where an array begins, in the memory of whatever runs the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Address(pub u64);

impl Address {
    /// Of what is absent.
    pub const NONE: Self = Self(0);
}

/// A row, set or id that is none.
pub const NONE: u32 = u32::MAX;

/// Columns of a block of the kernels that go over rows and stretches of columns.
pub const STRETCH: u32 = 1024;

/// Blocks for rows, and their stretches of columns.
pub fn over_rows(rows: u32, width: u32) -> [u32; 3] {
    [rows, width.div_ceil(STRETCH), 1]
}

/// A kernel.
pub trait Kernel {
    /// What it is given, by value.
    type Arguments: Copy;
    /// Its name, without the kind.
    const NAME: &'static str;
    /// Threads of a block.
    const THREADS: u32;
    /// Its host build for each kind.
    #[doc(hidden)]
    const HOST: [host::Function; 2];
    /// The same for a device.
    const ENTRY: Entry = Entry { name: Self::NAME, threads: Self::THREADS, host: Self::HOST };

    /// Its name in the PTX.
    fn name(kind: Kind) -> String {
        Self::ENTRY.name(kind)
    }
}

/// What a device has to know of a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Name, without the kind.
    pub name: &'static str,
    /// Threads of a block.
    pub threads: u32,
    /// Host builds, by kind.
    pub(crate) host: [host::Function; 2],
}

impl Entry {
    /// Its name in the PTX.
    pub fn name(&self, kind: Kind) -> String {
        format!("{}_{}", self.name, kind.suffix())
    }
}

/// What a kernel is, for those who go through all of them.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// Name, without the kind.
    pub name: &'static str,
    /// Threads of a block.
    pub threads: u32,
    /// Size of its arguments here.
    pub bytes: usize,
    /// Their size in C.
    pub bytes_in_c: u32,
}

macro_rules! kernels {
    ($($(#[$about:meta])* $Kernel:ident = $name:ident, $threads:literal, $bf16:ident, $f32:ident, $bytes:ident: $Arguments:ty;)*) => {
        unsafe extern "C" {
            $(fn $bf16(launch: *const host::Launch, arguments: *const std::ffi::c_void);
            fn $f32(launch: *const host::Launch, arguments: *const std::ffi::c_void);
            safe static $bytes: u32;)*
        }

        $($(#[$about])*
        #[derive(Debug, Clone, Copy)]
        pub struct $Kernel;

        impl Kernel for $Kernel {
            type Arguments = $Arguments;
            const NAME: &'static str = stringify!($name);
            const THREADS: u32 = $threads;
            const HOST: [host::Function; 2] = [$bf16, $f32];
        })*

        /// All kernels, in the order of the sources.
        pub fn all() -> Vec<Description> {
            vec![$(Description { name: stringify!($name), threads: $threads, bytes: size_of::<$Arguments>(), bytes_in_c: $bytes }),*]
        }
    };
}

kernels! {
    /// `x += added + added_bias`, then `y = x / rms(x) * weight`. A block per row.
    RmsNorm = rms_norm, 256, rms_norm_bf16, rms_norm_f32, rms_norm_f32_bytes: Norm;
    /// `x += added + added_bias`, then `y = (x - mean) / deviation * weight + bias`. A block per row.
    LayerNorm = layer_norm, 256, layer_norm_bf16, layer_norm_f32, layer_norm_f32_bytes: Norm;
    /// Cosines and sines of the rotary angles. A block per token.
    RotaryTables = rotary_table, 64, rotary_table_bf16, rotary_table_f32, rotary_table_f32_bytes: RotaryTable;
    /// Bias, norm and turn of queries and keys; bias of values. A block per token and head of all three.
    HeadsOf = heads, 64, heads_bf16, heads_f32, heads_f32_bytes: Heads;
    /// `y = silu(gate) * up`. Blocks by [`over_rows`].
    SiluTimesUp = silu_times, 256, silu_times_bf16, silu_times_f32, silu_times_f32_bytes: SiluTimes;
    /// `x = activation(x + bias)`. Blocks by [`over_rows`].
    Activation = activate, 256, activate_bf16, activate_f32, activate_f32_bytes: Activate;
    /// `x += bias`. Blocks by [`over_rows`].
    BiasAdded = add_bias, 256, add_bias_bf16, add_bias_f32, add_bias_f32_bytes: AddBias;
    /// Rows of `x` += rows. Blocks by [`over_rows`].
    RowsAdded = add_rows, 256, add_rows_bf16, add_rows_f32, add_rows_f32_bytes: AddRows;
    /// Rows of the stream become rows of a table. Blocks by [`over_rows`].
    RowsToStream = to_stream, 256, to_stream_bf16, to_stream_f32, to_stream_f32_bytes: ToStream;
    /// Rows become other rows. Blocks by [`over_rows`].
    RowsMoved = move_rows, 256, move_rows_bf16, move_rows_f32, move_rows_f32_bytes: MoveRows;
    /// `real` to f32. A block per [`STRETCH`] numbers.
    Widen = widen, 256, widen_bf16, widen_f32, widen_f32_bytes: Convert;
    /// f32 to `real`, to the nearest, ties to even. A block per [`STRETCH`] numbers.
    Narrow = narrow, 256, narrow_bf16, narrow_f32, narrow_f32_bytes: Convert;
    /// What is noted of logits. A block per row.
    Noted = note, 256, note_bf16, note_f32, note_f32_bytes: Note;
    /// `y = x weight^T`, or `sum +=` that. A block per 16 rows and 16 columns.
    MatrixProduct = product, 256, product_bf16, product_f32, product_f32_bytes: Product;
    /// Attention of prompts and images. A block per tile and query head.
    Attend = attend, 128, attend_bf16, attend_f32, attend_f32_bytes: Attention;
    /// Attention of decoding rows to a part of their keys. A block per tile, key head and 32 queries.
    AttendPart = attend_part, 128, attend_part_bf16, attend_part_f32, attend_part_f32_bytes: Attention;
    /// The parts of each row together. A block per row and query head.
    JoinParts = join, 128, join_bf16, join_f32, join_f32_bytes: Join;
    /// What one query looks at. A block per query head.
    AttentionWeights = attention_weights, 128, attention_weights_bf16, attention_weights_f32, attention_weights_f32_bytes: Scores;
}

/// Of [`RmsNorm`] and [`LayerNorm`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Norm {
    /// `f32 [rows, width]`: the stream, added to in place.
    pub x: Address,
    /// `real [rows, width]`, or none.
    pub added: Address,
    /// `real [width]`, or none.
    pub added_bias: Address,
    /// `real [width]`.
    pub weight: Address,
    /// `real [width]`; of a layer norm.
    pub bias: Address,
    /// `real [rows, width]`: the result.
    pub y: Address,
    /// Numbers of a row.
    pub width: u32,
    /// Added to the mean square, or to the variance.
    pub eps: f32,
}

/// Of [`RotaryTables`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct RotaryTable {
    /// `u32 [tokens, 3]`.
    pub positions: Address,
    /// `f32 [half]`.
    pub frequencies: Address,
    /// `u32 [half]`: which of the three positions a frequency reads.
    pub axes: Address,
    /// `f32 [tokens, half]`: result.
    pub cosines: Address,
    /// `f32 [tokens, half]`: result.
    pub sines: Address,
    /// Half the width of a head.
    pub half: u32,
}

/// Of [`HeadsOf`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Heads {
    /// `real [tokens, heads + 2 kv_heads, width]`: queries, keys, values.
    pub qkv: Address,
    /// `real [heads + 2 kv_heads, width]`, or none.
    pub bias: Address,
    /// `real [width]`, or none.
    pub query_norm: Address,
    /// `real [width]`, or none.
    pub key_norm: Address,
    /// `f32 [tokens, width / 2]`; none: nothing is turned.
    pub cosines: Address,
    /// `f32 [tokens, width / 2]`.
    pub sines: Address,
    /// `u32 [tokens]`: rows that the keys and values go to; none: the tokens' own.
    pub key_rows: Address,
    /// `real [tokens, query_stride]`: result.
    pub queries: Address,
    /// `real [.., key_stride]`: result.
    pub keys: Address,
    /// `real [.., key_stride]`: result.
    pub values: Address,
    /// Query heads.
    pub heads: u32,
    /// Key heads, and as many value heads.
    pub kv_heads: u32,
    /// Of a head: even, at most 256.
    pub width: u32,
    /// From one row of queries to the next.
    pub query_stride: u32,
    /// From one row of keys, or of values, to the next.
    pub key_stride: u32,
    /// Of the norms.
    pub eps: f32,
}

/// Of [`SiluTimesUp`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct SiluTimes {
    /// `real [rows, 2, inner]`: gates, ups.
    pub gate_up: Address,
    /// `real [2, inner]`, or none.
    pub bias: Address,
    /// `real [rows, inner]`: result.
    pub y: Address,
    /// Numbers of a row of the result.
    pub inner: u32,
}

/// Of [`Activation`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Activate {
    /// `real [rows, width]`, in place.
    pub x: Address,
    /// `real [width]`, or none.
    pub bias: Address,
    /// Numbers of a row.
    pub width: u32,
    /// Which.
    pub kind: ActivationKind,
}

/// An activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ActivationKind {
    /// None: the bias alone.
    Identity = 0,
    /// GELU by the error function.
    Gelu = 1,
    /// GELU by the hyperbolic tangent.
    GeluTanh = 2,
    /// `x sigmoid(1.702 x)`.
    QuickGelu = 3,
    /// `x sigmoid(x)`.
    Silu = 4,
}

/// Of [`BiasAdded`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AddBias {
    /// `f32 [rows, width]`, in place.
    pub x: Address,
    /// `real [width]`.
    pub bias: Address,
    /// Numbers of a row.
    pub width: u32,
}

/// Of [`RowsAdded`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AddRows {
    /// `f32 [.., width]`, in place.
    pub x: Address,
    /// `real [rows, width]`.
    pub values: Address,
    /// `u32 [rows]`, no row twice; none: the rows in order.
    pub rows: Address,
    /// Numbers of a row.
    pub width: u32,
}

/// Of [`RowsToStream`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ToStream {
    /// `f32 [.., width]`: result.
    pub x: Address,
    /// `real [.., width]`.
    pub table: Address,
    /// `u32 [rows]`, [`NONE`] leaves the target as it is; none: the rows in order.
    pub sources: Address,
    /// `u32 [rows]`, no row twice; none: the rows in order.
    pub targets: Address,
    /// Numbers of a row.
    pub width: u32,
}

/// Of [`RowsMoved`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct MoveRows {
    /// `real [.., to_stride]`: result. Not the array that is read.
    pub to: Address,
    /// `real [.., from_stride]`.
    pub from: Address,
    /// As in [`ToStream`].
    pub sources: Address,
    /// As in [`ToStream`].
    pub targets: Address,
    /// Numbers of a row that move.
    pub width: u32,
    /// From one row to the next.
    pub to_stride: u32,
    /// From one row to the next.
    pub from_stride: u32,
}

/// Of [`Widen`] and [`Narrow`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Convert {
    /// `[count]`.
    pub from: Address,
    /// `[count]`: result.
    pub to: Address,
    /// Numbers.
    pub count: u64,
}

/// Of [`Attend`] and [`AttendPart`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Attention {
    /// `real [.., query_stride]`, turned.
    pub queries: Address,
    /// `real [.., key_stride]`, turned.
    pub keys: Address,
    /// `real [.., key_stride]`.
    pub values: Address,
    /// [`crate::Tile`]s.
    pub tiles: Address,
    /// `u32 [query rows]`: the set of keys hidden from each row, [`NONE`] for no set; or none. See [`crate::HiddenSets`].
    pub hidden_set: Address,
    /// `u32 [sets + 1]`: where each set's ranges begin.
    pub set_bounds: Address,
    /// `u32 [ranges, 2]`: start and end.
    pub ranges: Address,
    /// `real [.., y_stride]`: result of [`Attend`].
    pub y: Address,
    /// `f32 [query rows, heads, parts, 2]`: maximum and sum of each part, results of [`AttendPart`].
    pub part_sums: Address,
    /// `f32 [query rows, heads, parts, width]`: weighted values, result of [`AttendPart`].
    pub part_values: Address,
    /// Query heads.
    pub heads: u32,
    /// Key heads; divides `heads`.
    pub kv_heads: u32,
    /// Of a head: at most 128.
    pub width: u32,
    /// From one row of queries to the next.
    pub query_stride: u32,
    /// From one row of keys, or of values, to the next.
    pub key_stride: u32,
    /// From one row of the result to the next.
    pub y_stride: u32,
    /// 1: each query of a tile sees one key more than the one before it.
    pub causal: u32,
    /// Parts that there is room for, per row.
    pub parts: u32,
    /// Factor of the scores.
    pub scale: f32,
}

/// Of [`JoinParts`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Join {
    /// As in [`Attention`].
    pub part_sums: Address,
    /// As in [`Attention`].
    pub part_values: Address,
    /// `u32 [rows]`: parts that each row has.
    pub parts_of: Address,
    /// `real [rows, y_stride]`: result.
    pub y: Address,
    /// Query heads.
    pub heads: u32,
    /// Of a head.
    pub width: u32,
    /// Parts that there is room for, per row.
    pub parts: u32,
    /// From one row of the result to the next.
    pub y_stride: u32,
}

/// Of [`AttentionWeights`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Scores {
    /// `real [heads, width]`, turned.
    pub query: Address,
    /// As in [`Attention`].
    pub keys: Address,
    /// [`crate::Tile`]s that cover the query's keys; their `index` is where a key's weight goes.
    pub tiles: Address,
    /// As in [`Attention`], of the one query.
    pub hidden_set: Address,
    /// As in [`Attention`].
    pub set_bounds: Address,
    /// As in [`Attention`].
    pub ranges: Address,
    /// `f32 [heads, total]`: result; 0 for a hidden key.
    pub weights: Address,
    /// Tiles.
    pub tile_count: u32,
    /// Query heads.
    pub heads: u32,
    /// Key heads; divides `heads`.
    pub kv_heads: u32,
    /// Of a head.
    pub width: u32,
    /// From one row of keys to the next.
    pub key_stride: u32,
    /// Keys of all tiles.
    pub total: u32,
    /// Factor of the scores.
    pub scale: f32,
}

/// Of [`Noted`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Note {
    /// `f32 [rows, vocab]`.
    pub logits: Address,
    /// `u32 [rows, count]`: ids whose log-probabilities are wanted, [`NONE`] for none.
    pub options: Address,
    /// `u32 [rows]`: the first id of the largest logit; 0 where none is larger than negative infinity.
    pub best: Address,
    /// `u32 [rows]`: 1 where all logits are finite.
    pub finite: Address,
    /// `f32 [rows]`: logarithm of the sum of the exponentials.
    pub normalizer: Address,
    /// `f32 [rows, count]`, in nats.
    pub option_logprobs: Address,
    /// Logits of a row.
    pub vocab: u32,
    /// Options of a row.
    pub count: u32,
}

/// Of [`MatrixProduct`].
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Product {
    /// `real [rows, x_stride]`.
    pub x: Address,
    /// `real [columns, inner]`.
    pub weight: Address,
    /// `real [rows, y_stride]`: result, or none.
    pub y: Address,
    /// `f32 [rows, y_stride]`: added to, or none.
    pub sum: Address,
    /// Rows of `x`.
    pub rows: u32,
    /// Numbers of a row of `x` that count.
    pub inner: u32,
    /// Rows of `weight`.
    pub columns: u32,
    /// From one row of `x` to the next.
    pub x_stride: u32,
    /// From one row of the result to the next.
    pub y_stride: u32,
}
