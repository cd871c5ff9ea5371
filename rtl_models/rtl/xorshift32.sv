// SPDX-License-Identifier: Apache-2.0

/// Marsaglia's xorshift generator of 32 bits: state ^= state << 13; ^= state >> 17; ^= state << 5.
///
/// Equal to sim.random_bits.Xorshift32. The word is a register: right after loading a seed it is
/// the stream's word 0, and each enabled cycle moves on by one. From seed 1: 270369, 67634689.
module xorshift32
  import bittrue_pkg::*;
#(
  /// Seed after a reset, not 0.
  parameter logic [31:0] ResetSeed = ReplacementSeed
) (
  /// Clock.
  input  logic        clk_i,
  /// Asynchronous reset, active low: as loading ResetSeed.
  input  logic        rst_ni,
  /// High to load the seed, whatever enable_i is.
  input  logic        load_i,
  /// Seed; 0, from which no other state would follow, is replaced by bittrue_pkg::ReplacementSeed.
  input  logic [31:0] seed_i,
  /// High to move on by one word.
  input  logic        enable_i,
  /// The present word.
  output logic [31:0] word_o
);

  if (ResetSeed == 32'd0)
    $error("xorshift32 ResetSeed: got %0d; allowed: 1 to 4294967295", ResetSeed);

  function automatic logic [31:0] step(logic [31:0] state);
    logic [31:0] left, right;
    left  = state ^ (state << 13);
    right = left ^ (left >> 17);
    return right ^ (right << 5);
  endfunction

  logic [31:0] seed, word_q;
  assign seed = |seed_i ? seed_i : ReplacementSeed;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      word_q <= step(ResetSeed);
    end else if (load_i) begin
      word_q <= step(seed);
    end else if (enable_i) begin
      word_q <= step(word_q);
    end
  end

  assign word_o = word_q;

endmodule
