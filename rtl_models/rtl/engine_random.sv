// SPDX-License-Identifier: Apache-2.0

/// The random fields of some lanes, from seeds that the host writes: one part of the window SEEDS
/// and `random_lanes`. Without random bits there is neither, and the fields are 0.
module engine_random
  import bittrue_pkg::*;
#(
  /// Fields a beat.
  parameter int unsigned Lanes = 16,
  /// Bits of a field: 1, 2, 4, 8, 16, 32, or 0 for none.
  parameter int unsigned RandomBits = 16,
  /// Word of the window with the seed of the first generator.
  parameter int unsigned FirstSeed = 0,
  /// Kind of the generators.
  parameter generator_e GeneratorKind = XORSHIFT32,
  /// Bits of an lfsr's register.
  parameter int unsigned LfsrWidth = 32,
  /// Feedback of an lfsr.
  parameter logic [LfsrWidth-1:0] LfsrTaps = LfsrWidth'(64'h8020_0003),
  /// Single steps of an lfsr a word.
  parameter int unsigned LfsrLeap = 32,
  /// Dependent, do not change: bits of a field, never none.
  localparam int unsigned FieldWidth = larger(RandomBits, 1)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                        rst_ni,
  /// High to write a seed.
  input  logic                        seed_write_i,
  /// Its word in the window.
  input  logic [WindowWidth-1:0]      seed_word_i,
  /// The seed.
  input  logic [31:0]                 seed_i,
  /// High to load all generators.
  input  logic                        load_i,
  /// High if the fields are used: the next cycle has new ones.
  input  logic                        enable_i,
  /// Fields, lane j at FieldWidth*j.
  output logic [Lanes*FieldWidth-1:0] random_o
);

  localparam int unsigned Generators = generators(Lanes, RandomBits);

  if (RandomBits > 0) begin : gen_random
    logic [32*Generators-1:0] seeds_q;

    for (genvar g = 0; g < Generators; g++) begin : gen_seed
      always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
          seeds_q[32*g+:32] <= 32'd0;
        end else if (seed_write_i && seed_word_i == WindowWidth'(FirstSeed + unsigned'(g))) begin
          seeds_q[32*g+:32] <= seed_i;
        end
      end
    end

    random_lanes #(
      .Lanes        (Lanes),
      .RandomBits   (RandomBits),
      .GeneratorKind(GeneratorKind),
      .LfsrWidth    (LfsrWidth),
      .LfsrTaps     (LfsrTaps),
      .LfsrLeap     (LfsrLeap)
    ) u_random (
      .clk_i,
      .rst_ni,
      .load_i,
      .seeds_i(seeds_q),
      .enable_i,
      .random_o
    );
  end else begin : gen_no_random
    logic unused;
    assign random_o = (Lanes * FieldWidth)'(0);
    assign unused = ^{clk_i, rst_ni, seed_write_i, seed_word_i, seed_i, load_i, enable_i};
  end

endmodule
