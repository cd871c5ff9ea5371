// SPDX-License-Identifier: Apache-2.0

/// The registers of the training engine, its windows, and what of both the host may touch.
///
/// The address of a word is {window, word of the window}: bittrue_pkg::engine_window_e, and in the
/// window REGISTERS bittrue_pkg::engine_register_e. Refused, and without effect: any write while
/// the engine runs, a write of less than a word, one to what can only be read or behind the end of a
/// window, a value that a register or an exponent has not, commands without START; any read of
/// another window than REGISTERS and MODEL, or of MODEL while the engine runs.
module engine_registers
  import bittrue_pkg::*;
#(
  /// Largest number of columns.
  parameter int unsigned MaxColumns = 1024,
  /// Bits of the scale registers.
  parameter int unsigned MultiplierWidth = 16,
  /// Largest shift.
  parameter int unsigned MaxShift = 62,
  /// Largest block exponent.
  parameter int unsigned MaxExponent = 0,
  /// Words of each window, by bittrue_pkg::engine_window_e, 0 for those that there are not.
  parameter logic [7:0][31:0] Words = '{default: 32'd256},
  /// Dependent, do not change: bits of a number of columns, and of a shift.
  localparam int unsigned ColumnsWidth = $clog2(MaxColumns + 1),
  localparam int unsigned ShiftWidth = index_width(MaxShift + 1)
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low.
  input  logic                          rst_ni,
  /// High in the cycle of a write.
  input  logic                          write_i,
  /// Its word's address.
  input  logic [EngineAddressWidth-1:2] write_address_i,
  /// The word.
  input  logic [31:0]                   write_data_i,
  /// High if it is a whole word.
  input  logic                          write_is_whole_i,
  /// Low if the write is refused.
  output logic                          write_is_allowed_o,
  /// Address of the word to read.
  input  logic [EngineAddressWidth-1:2] read_address_i,
  /// The word.
  output logic [31:0]                   read_data_o,
  /// Low if the read is refused.
  output logic                          read_is_allowed_o,
  /// The word of the model at that address.
  input  logic [31:0]                   model_i,
  /// Bits of STATUS, by bittrue_pkg::engine_status_e.
  input  logic [32'(NO_LAST):0]         status_i,
  /// Values of CYCLES and CYCLES_HIGH.
  input  logic [63:0]                   cycles_i,
  /// Counts of overflows, the first lowest.
  input  logic [5*32-1:0]               counts_i,
  /// High for the window that a word is written to, by bittrue_pkg::engine_window_e.
  output logic [32'(TABLE):0]           window_write_o,
  /// What a write to CONTROL starts, by bittrue_pkg::engine_command_e.
  output logic [3:0]                    commands_o,
  /// Columns of a row.
  output logic [ColumnsWidth-1:0]       columns_o,
  /// Steps of a loop.
  output logic [31:0]                   steps_o,
  /// Scale register of the link.
  output logic [MultiplierWidth-1:0]    multiplier_o,
  /// Its shift.
  output logic [ShiftWidth-1:0]         shift_o,
  /// Scale register of the table index.
  output logic [MultiplierWidth-1:0]    index_multiplier_o,
  /// Its shift.
  output logic [ShiftWidth-1:0]         index_shift_o
);

  localparam int unsigned Writable = 32'(STATUS);
  localparam int unsigned Commands = 32'(SEND) + 1;
  localparam logic [31:0] LargestMultiplier = (32'd1 << MultiplierWidth) - 32'd1;
  localparam logic [Writable-1:0][31:0] Largest = '{
      CONTROL: (32'd1 << Commands) - 32'd1,
      COLUMNS: 32'(MaxColumns),
      STEPS: ~32'd0,
      MULTIPLIER: LargestMultiplier,
      SHIFT: 32'(MaxShift),
      INDEX_MULTIPLIER: LargestMultiplier,
      INDEX_SHIFT: 32'(MaxShift)
  };

  engine_window_e write_window, read_window;
  engine_register_e write_register;
  logic [WindowWidth-1:0] write_word, read_word;
  logic write_fits, read_exists, is_running, was_running_q, is_register, is_model;
  logic [Writable-1:0][31:0] registers;
  logic [32*EngineRegisters-1:0] readable;

  assign is_running = status_i[RUNNING];
  assign write_window = engine_window_e'(write_address_i[EngineAddressWidth-1-:3]);
  assign write_word = write_address_i[2+:WindowWidth];
  assign write_register = engine_register_e'(write_word[4:0]);

  always_comb begin
    case (write_window)
      REGISTERS: begin
        write_fits = write_data_i <= Largest[write_word[2:0]];
        if (write_word >= WindowWidth'(Writable)) write_fits = 1'b0;
        if (write_register == COLUMNS && write_data_i == 32'd0) write_fits = 1'b0;
        if (write_register == CONTROL && !write_data_i[5'(START)]) write_fits = 1'b0;
      end
      EXPONENTS: write_fits = write_data_i <= MaxExponent;
      default:   write_fits = 1'b1;
    endcase
  end

  assign write_is_allowed_o = ~is_running & write_is_whole_i & write_fits &
      32'(write_word) < Words[write_window];
  assign window_write_o = (32'(TABLE) + 1)'(write_i & write_is_allowed_o) << write_window;
  assign commands_o = window_write_o[REGISTERS] && write_register == CONTROL ?
      write_data_i[Commands-1:0] : Commands'(0);

  for (genvar k = 0; k < Writable; k++) begin : gen_register
    localparam int unsigned Width = $clog2(33'(Largest[k]) + 33'd1);

    logic [Width-1:0] value_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        value_q <= Width'(k == 32'(COLUMNS));
      end else if (window_write_o[REGISTERS] && write_register == engine_register_e'(k)) begin
        value_q <= write_data_i[Width-1:0];
      end
    end

    assign registers[k] = 32'(value_q);
  end

  assign columns_o = registers[3'(COLUMNS)][ColumnsWidth-1:0];
  assign steps_o = registers[3'(STEPS)];
  assign multiplier_o = registers[3'(MULTIPLIER)][MultiplierWidth-1:0];
  assign shift_o = registers[3'(SHIFT)][ShiftWidth-1:0];
  assign index_multiplier_o = registers[3'(INDEX_MULTIPLIER)][MultiplierWidth-1:0];
  assign index_shift_o = registers[3'(INDEX_SHIFT)][ShiftWidth-1:0];

  // The model's memory was asked a cycle ago: by the loop, if it ran then.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      was_running_q <= 1'b0;
    end else begin
      was_running_q <= is_running;
    end
  end

  assign read_window = engine_window_e'(read_address_i[EngineAddressWidth-1-:3]);
  assign read_word = read_address_i[2+:WindowWidth];
  assign read_exists = 32'(read_word) < Words[read_window];
  assign is_register = read_window == REGISTERS & read_exists;
  assign is_model = read_window == MODEL & read_exists & ~was_running_q;
  assign read_is_allowed_o = is_register | is_model;
  assign readable = {counts_i, cycles_i, 32'(status_i), registers};

  always_comb begin
    read_data_o = 32'd0;
    if (is_model) begin
      read_data_o = model_i;
    end else if (is_register) begin
      read_data_o = readable[32*32'(read_word[3:0])+:32];
    end
  end

  logic unused;
  assign unused = ^registers[3'(CONTROL)];

endmodule
