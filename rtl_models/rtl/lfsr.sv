// SPDX-License-Identifier: Apache-2.0

/// A Galois linear feedback shift register, shifting right; a word is its low 32 bits after every
/// `Leap` single steps.
///
/// Equal to sim.random_bits.Lfsr. The word is part of a register: right after loading a seed it is
/// the stream's word 0, and each enabled cycle moves on by one. Every bit of the next state is the
/// parity of some bits of the present one, so the path is one tree of exclusive ors, whatever `Leap`.
module lfsr
  import bittrue_pkg::*;
#(
  /// Bits of the register, 32 to 64.
  parameter int unsigned Width = 32,
  /// Feedback: bit e - 1 stands for exponent e of the polynomial; that of `Width` has to be among
  /// them. The default is the maximal (32, 22, 2, 1).
  parameter logic [Width-1:0] Taps = Width'(64'h8020_0003),
  /// Single steps a word, 1 to 64.
  parameter int unsigned Leap = 32,
  /// Seed after a reset, not 0.
  parameter logic [31:0] ResetSeed = ReplacementSeed
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low: as loading ResetSeed.
  input  logic             rst_ni,
  /// High to load the seed, whatever enable_i is.
  input  logic             load_i,
  /// Seed; 0, from which no other state would follow, is replaced by bittrue_pkg::ReplacementSeed.
  input  logic [Width-1:0] seed_i,
  /// High to move on by one word.
  input  logic             enable_i,
  /// The present word.
  output logic [31:0]      word_o
);

  if (Width < 32 || Width > 64) $error("lfsr Width: got %0d; allowed: 32 to 64", Width);
  if (!Taps[Width-1])
    $error("lfsr Taps: got %0h; allowed: the bit of exponent %0d set", Taps, Width);
  if (Leap < 1 || Leap > 64) $error("lfsr Leap: got %0d; allowed: 1 to 64", Leap);
  if (ResetSeed == 32'd0) $error("lfsr ResetSeed: got %0d; allowed: 1 to 4294967295", ResetSeed);

  // The bits whose parity is bit `index` after `Leap` steps. One step earlier, a bit that lies one
  // higher counts, and bit 0 counts if an odd number of the bits that it toggles do.
  function automatic logic [Width-1:0] contributors(int unsigned index);
    logic [Width-1:0] bits;
    bits = Width'(1) << index;
    for (int unsigned i = 0; i < Leap; i++) bits = (bits << 1) | Width'(^(bits & Taps));
    return bits;
  endfunction

  logic [Width-1:0] seed, present, next, state_q;
  assign seed = |seed_i ? seed_i : Width'(ReplacementSeed);

  // The reset value is stepped like a seed, by the same trees: only the reset itself is a constant.
  function automatic logic [Width-1:0] step(logic [Width-1:0] state);
    logic [Width-1:0] result;
    result = state;
    for (int unsigned i = 0; i < Leap; i++) result = (result >> 1) ^ (result[0] ? Taps : Width'(0));
    return result;
  endfunction
  localparam logic [Width-1:0] ResetState = step(Width'(ResetSeed));

  assign present = load_i ? seed : state_q;
  for (genvar i = 0; i < Width; i++) begin : gen_bit
    localparam logic [Width-1:0] Contributors = contributors(i);
    assign next[i] = ^(present & Contributors);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= ResetState;
    end else if (load_i || enable_i) begin
      state_q <= next;
    end
  end

  assign word_o = state_q[31:0];

endmodule
