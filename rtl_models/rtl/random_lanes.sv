// SPDX-License-Identifier: Apache-2.0

/// The random bits of all lanes: `RandomBits` bits a lane and enabled cycle, from as few generators
/// of 32 bits as it takes.
///
/// Lane j takes bits RandomBits * (j mod 32/RandomBits) and up of generator j div 32/RandomBits.
/// Since RandomBits divides 32, that is the field at RandomBits * j of all words side by side.
module random_lanes
  import bittrue_pkg::*;
#(
  /// Lanes, 1 to 256.
  parameter int unsigned Lanes = 16,
  /// Random bits a lane: 1, 2, 4, 8, 16 or 32.
  parameter int unsigned RandomBits = 16,
  /// Kind of the generators.
  parameter generator_e GeneratorKind = XORSHIFT32,
  /// Bits of an lfsr's register, 32 to 64; 32 for xorshift32.
  parameter int unsigned LfsrWidth = 32,
  /// Feedback of an lfsr: bit e - 1 stands for exponent e.
  parameter logic [LfsrWidth-1:0] LfsrTaps = LfsrWidth'(64'h8020_0003),
  /// Single steps of an lfsr a word, 1 to 64.
  parameter int unsigned LfsrLeap = 32,
  /// Dependent, do not change: number of generators.
  localparam int unsigned Generators = generators(Lanes, RandomBits)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low: all seeds become bittrue_pkg::ReplacementSeed.
  input  logic                        rst_ni,
  /// High to load all seeds, whatever enable_i is.
  input  logic                        load_i,
  /// Seeds, generator g at 32 * g; 0 is replaced by bittrue_pkg::ReplacementSeed.
  input  logic [32*Generators-1:0]    seeds_i,
  /// High to move on by one word of each generator.
  input  logic                        enable_i,
  /// The present fields, lane j at RandomBits * j.
  output logic [Lanes*RandomBits-1:0] random_o
);

  if (Lanes < 1 || Lanes > 256) $error("random_lanes Lanes: got %0d; allowed: 1 to 256", Lanes);
  if (RandomBits < 1 || WordBits % larger(RandomBits, 1) != 0)
    $error("random_lanes RandomBits: got %0d; allowed: 1, 2, 4, 8, 16, 32", RandomBits);

  logic [32*Generators-1:0] words;

  for (genvar g = 0; g < Generators; g++) begin : gen_generator
    if (GeneratorKind == XORSHIFT32) begin : gen_xorshift32
      xorshift32 u_generator (
        .clk_i,
        .rst_ni,
        .load_i,
        .seed_i(seeds_i[32*g+:32]),
        .enable_i,
        .word_o(words[32*g+:32])
      );
    end else begin : gen_lfsr
      lfsr #(
        .Width(LfsrWidth),
        .Taps (LfsrTaps),
        .Leap (LfsrLeap)
      ) u_generator (
        .clk_i,
        .rst_ni,
        .load_i,
        .seed_i(LfsrWidth'(seeds_i[32*g+:32])),
        .enable_i,
        .word_o(words[32*g+:32])
      );
    end
  end

  assign random_o = words[Lanes*RandomBits-1:0];

  if (32 * Generators > Lanes * RandomBits) begin : gen_left_over
    logic unused_words;
    assign unused_words = ^words[32*Generators-1:Lanes*RandomBits];
  end

endmodule
