# frozen_string_literal: true

class Catalog
  # What hangs on a SUSE Linux Enterprise Server: names, places in the tree and subscriptions of the
  # modules and extensions as a client of SUSE's catalog meets them.
  module Shape
    # `parent`: the identifier of what it hangs on; `recommended`: clients activate it unasked.
    Extension = Struct.new(:identifier, :name, :parent, :recommended, :type, :product_class, :about, keyword_init: true) do
      # @return [Boolean] whether it takes no subscription
      def free?
        product_class == 'MODULE'
      end
    end

    # The parent of what hangs on the base product itself.
    BASE = :base

    def self.of_modules(parent, names)
      names.map do |identifier, (name, about)|
        Extension.new(identifier: identifier, name: name, parent: parent, recommended: false, type: 'module',
                      product_class: 'MODULE', about: about)
      end
    end
    private_class_method :of_modules

    def self.paid(identifier, name, parent, product_class, about)
      Extension.new(identifier: identifier, name: name, parent: parent, recommended: false, type: 'extension',
                    product_class: product_class, about: about)
    end
    private_class_method :paid

    # In the order in which they are added, parents first. Three of them are recommended, each below
    # the other, so that a registration takes four activations.
    EXTENSIONS = [
      *of_modules(BASE, 'sle-module-basesystem' => ['Basesystem Module', 'the kernel, the shells and the libraries']),
      *of_modules('sle-module-basesystem',
                  'sle-module-server-applications' => ['Server Applications Module', 'mail, directory and file servers'],
                  'sle-module-desktop-applications' => ['Desktop Applications Module', 'a desktop and what runs on it'],
                  'sle-module-containers' => ['Containers Module', 'container engines and tools to build images'],
                  'sle-module-python3' => ['Python 3 Module', 'newer Python interpreters and their packages'],
                  'sle-module-certifications' => ['Certifications Module', 'certified versions of cryptographic libraries'],
                  'sle-module-confidential-computing' => ['Confidential Computing Technical Preview', 'memory encryption'],
                  'sle-module-NVIDIA-compute' => ['NVIDIA Compute Module', 'drivers and libraries for accelerators'],
                  'sle-module-systems-management' => ['Systems Management Module', 'configuration management'],
                  'PackageHub' => ['SUSE Package Hub', 'packages of the community, without support']),
      paid('sle-module-live-patching', 'Live Patching', 'sle-module-basesystem', 'SLE-LP', 'kernel updates without reboots'),
      *of_modules('sle-module-server-applications',
                  'sle-module-public-cloud' => ['Public Cloud Module', 'tools and agents for public clouds'],
                  'sle-module-web-scripting' => ['Web and Scripting Module', 'web servers and scripting languages'],
                  'sle-module-legacy' => ['Legacy Module', 'what newer versions have replaced'],
                  'sle-module-hpc' => ['HPC Module', 'schedulers and libraries for parallel computing'],
                  'sle-module-transactional-server' => ['Transactional Server Module', 'updates that can be rolled back']),
      paid('sle-ha', 'SUSE Linux Enterprise High Availability Extension', 'sle-module-server-applications', 'SLE-HAE',
           'clusters and replicated storage'),
      *of_modules('sle-ha', 'sle-module-sap-applications' => ['SAP Applications Module', 'what SAP applications need']),
      *of_modules('sle-module-desktop-applications',
                  'sle-module-development-tools' => ['Development Tools Module', 'compilers and debuggers']),
      paid('sle-we', 'SUSE Linux Enterprise Workstation Extension', 'sle-module-desktop-applications', 'SLE-WE',
           'office and multimedia'),
      paid('sle-ltss', 'SUSE Linux Enterprise Server LTSS', BASE, 'SLES-LTSS', 'updates after general support has ended')
    ].freeze

    RECOMMENDED = %w[sle-module-basesystem sle-module-server-applications sle-module-public-cloud].freeze
    EXTENSIONS.each do |extension|
      extension.recommended = RECOMMENDED.include?(extension.identifier)
      extension.freeze
    end
  end
end
